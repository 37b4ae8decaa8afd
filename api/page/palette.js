/** One colour an instance, told apart on most pictures: [red, green, blue]. */
const COLOURS = [[255, 64, 129], [0, 184, 212], [255, 171, 0], [124, 77, 255], [0, 200, 83], [255, 109, 0]];

/** Of the instance at this position. */
export const colour = (position) => COLOURS[position % COLOURS.length];

/** The same for CSS. */
export const css = (position) => `rgb(${colour(position).join(" ")})`;
