/** Generated input for text tools: lines as of a log, the same bytes everywhere. */

import { createRandom } from "./random.ts";

const WORDS =
  "address block cache descriptor entry fault guest handler index journal kernel loader memory node offset page queue register segment thread unit vector window".split(
    " ",
  );

/** @returns lines `key word number text…`, together of at least so many bytes */
export function generateLines(bytes: number): string {
  const random = createRandom(2463534242);
  const word = () => WORDS[random() % WORDS.length];
  const lines: string[] = [];
  for (let size = 0; size < bytes; ) {
    const key = random().toString(36).padStart(7, "0");
    const text = Array.from({ length: 1 + (random() % 5) }, word).join(" ");
    const line = `${key} ${word()} ${random() % 100000} ${text}\n`;
    lines.push(line);
    size += line.length;
  }
  return lines.join("");
}
