/** What is said of the bundled picture. */
export const SENTENCE = "The man skiing on his new snowboard!";
