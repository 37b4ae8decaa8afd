/** The calls that do the same as the page: for a shell and for Python. */

const ALL_OUTPUTS = ["mask", "cutout", "overlay"];

/** What `curl` and Python need to know of a job; `name` is its file's, where this tab knows it. */
export function snippets(job, service, name, withKey) {
  const { url } = job.input.image;
  const source = url ? { url } : { name: name ?? "photo.jpg" };
  const fields = fieldsOf(job);
  return { curl: curl(service, source, fields, withKey), python: python(service, source, fields) };
}

/** All that was said of the picture, under the API's names, but for what is so unless it is said. */
function fieldsOf({ input, metadata }) {
  const { description, labels, instances, outputs, models, on_missing, box_threshold, priority } = input;
  return {
    ...(labels ? { labels } : { description }),
    ...(instances !== "best" && { instances }),
    ...(outputs && outputs.length < ALL_OUTPUTS.length && { outputs }),
    ...(models && { models }),
    ...(on_missing && on_missing !== "not_found" && { on_missing }),
    ...(typeof box_threshold === "number" && { box_threshold }),
    ...(priority && priority !== "normal" && { priority }),
    ...(metadata && Object.keys(metadata).length && { metadata }),
  };
}

function curl(service, { url, name }, fields, withKey) {
  const lines = [`curl ${quoted(`${service}/v1/jobs`)}`, "-H 'Prefer: wait=30'"];
  if (withKey) lines.push('-H "Authorization: Bearer $MAINMASK_API_KEY"');
  lines.push(url ? formString("image_url", url) : `-F ${quoted(`image=@${fileName(name)}`)}`);
  // Not -F: there, @ and ; mean something at some places.
  for (const [field, value] of Object.entries(fields)) {
    lines.push(...formTexts(value).map((text) => formString(field, text)));
  }
  return lines.join(" \\\n  ");
}

const formString = (field, value) => `--form-string ${quoted(`${field}=${value}`)}`;

/** A form says a list's values one by one, and an object as JSON. */
function formTexts(value) {
  if (Array.isArray(value)) return value;
  return [value && typeof value === "object" ? JSON.stringify(value) : String(value)];
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// As curl reads a file's name where it has characters that would end it.
const fileName = (name) => (/[",;\\]/.test(name) ? `"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"` : name);

function python(service, { url, name }, { description, ...options }) {
  const given = url ? [`image_url=${literal(url)}`] : [literal(name)];
  if (description !== undefined) given.push(`description=${literal(description)}`);
  given.push(...Object.entries(options).map(([option, value]) => `${option}=${literal(value)}`));
  return `from pathlib import Path

from mainmask import Client

with Client(${literal(service)}) as client:
    job = client.segment(
        ${given.join(",\n        ")},
    )
    print(job.result.main_object)
${saving(options)}`;
}

/** The pictures as files: of the first kind that was made, one for each instance that was asked for. */
function saving({ instances, outputs = ALL_OUTPUTS }) {
  if (!outputs.length) return "";
  const [made] = outputs;
  const suffix = made === "overlay" ? ".jpg" : ".png";
  if (instances === "all") {
    return `    for number in range(len(job.result.instances)):
        Path(f"${made}-{number}${suffix}").write_bytes(client.download(job, "${made}", number))
`;
  }
  return `    if job.result.instances:
        Path("${made}${suffix}").write_bytes(client.download(job, "${made}"))
`;
}

/** A JSON value as Python writes it; JSON's strings and numbers are Python's, too. */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}: ${literal(each)}`).join(", ")}}`;
}
