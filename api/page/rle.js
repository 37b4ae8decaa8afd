/** COCO's compressed run-length code of a mask: `size` is [height, width], `counts` is ASCII. */

/**
 * The lengths of the runs of 0 and 1 in turn, 0 first, down the columns.
 *
 * Each number is written in groups of five bits, the lowest first, as characters from "0" on: 32 says that another
 * group follows, 16 in the last one that the number is negative. From the fourth number on, it is the difference to
 * the one two before. (Format: pycocotools, maskApi.c.) Pictures are small enough for 32 bits.
 */
export function runs(counts) {
  const lengths = [];
  let value = 0;
  let shift = 0;
  for (const character of counts) {
    const group = character.charCodeAt(0) - 48;
    value |= (group & 31) << shift;
    shift += 5;
    if (group & 32) continue;
    if (group & 16) value |= -1 << shift;
    lengths.push(lengths.length > 2 ? value + lengths.at(-2) : value);
    value = 0;
    shift = 0;
  }
  return lengths;
}

/**
 * The mask's pixels, row by row, 1 where the object is, at this width and height.
 *
 * Smaller than the mask's own size, each is the nearest pixel: a mask of 64 megapixels can be looked at without
 * unpacking it.
 */
export function decode({ size: [ownHeight, ownWidth], counts }, width = ownWidth, height = ownHeight) {
  const lengths = runs(counts);
  const pixels = new Uint8Array(width * height);
  let run = 0;
  let end = lengths[0] ?? 0;
  for (let x = 0; x < width; x++) {
    const column = Math.floor(((x + 0.5) * ownWidth) / width) * ownHeight;
    for (let y = 0; y < height; y++) {
      const position = column + Math.floor(((y + 0.5) * ownHeight) / height);
      while (position >= end && run < lengths.length) end += lengths[++run] ?? 0;
      pixels[y * width + x] = run & 1;
    }
  }
  return pixels;
}
