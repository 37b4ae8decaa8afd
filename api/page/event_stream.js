/** Server-sent events, read from a response (HTML Standard, 9.2.6). */

/** Yields `{id, event, data}` of each event, `data` as text. Throws when nothing, not even a comment, comes in time. */
export async function* eventsOf(response, silenceMs) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), silenceMs);
      if (done) return;
      text += value;
      const blocks = text.split(/\r\n\r\n|\n\n|\r\r/);
      text = blocks.pop();
      for (const block of blocks) {
        const event = parse(block);
        if (event.data !== null) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** The fields of one block. */
export function parse(block) {
  const event = { id: null, event: "message", data: null };
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (name === "data") event.data = event.data === null ? value : `${event.data}\n${value}`;
    else if (name === "id" || name === "event") event[name] = value;
  }
  return event;
}

function within(promise, milliseconds) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("the stream is silent")), milliseconds);
  });
  return Promise.race([promise, silence]).finally(() => clearTimeout(timer));
}
