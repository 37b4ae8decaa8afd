/** The calls that do the same as the page: for a shell and for Python. */

/** What `curl` and Python need to know of a job; `name` is its file's, where this tab knows it. */
export function snippets(job, service, name, withKey) {
  const { image, description, labels, instances } = job.input;
  const source = image.url ? { url: image.url } : { name: name ?? "photo.jpg" };
  return {
    curl: curl(service, source, { description, labels, instances }, withKey),
    python: python(service, source, { description, labels, instances }),
  };
}

function curl(service, { url, name }, { description, labels, instances }, withKey) {
  const lines = [`curl ${quoted(`${service}/v1/jobs`)}`, "-H 'Prefer: wait=30'"];
  if (withKey) lines.push('-H "Authorization: Bearer $MAINMASK_API_KEY"');
  lines.push(url ? formString("image_url", url) : `-F ${quoted(`image=@${fileName(name)}`)}`);
  // Not -F: there, @ and ; mean something at some places.
  if (labels) lines.push(...labels.map((label) => formString("labels", label)));
  else lines.push(formString("description", description));
  if (instances !== "best") lines.push(formString("instances", instances));
  return lines.join(" \\\n  ");
}

const formString = (field, value) => `--form-string ${quoted(`${field}=${value}`)}`;

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// As curl reads a file's name where it has characters that would end it.
const fileName = (name) => (/[",;\\]/.test(name) ? `"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : name);

function python(service, { url, name }, { description, labels, instances }) {
  const given = url ? [`image_url=${JSON.stringify(url)}`] : [JSON.stringify(name)];
  given.push(labels ? `labels=${list(labels)}` : `description=${JSON.stringify(description)}`);
  if (instances !== "best") given.push(`instances=${JSON.stringify(instances)}`);
  return `from pathlib import Path

from mainmask import Client

with Client(${JSON.stringify(service)}) as client:
    job = client.segment(
        ${given.join(",\n        ")},
    )
    print(job.result.main_object)
    if job.result.instances:
        Path("mask.png").write_bytes(client.download(job, "mask"))
`;
}

// JSON's strings are Python's, too.
const list = (labels) => `[${labels.map((label) => JSON.stringify(label)).join(", ")}]`;
