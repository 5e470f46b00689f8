import { expect, it } from "vitest";
import { generator } from "../devices/testing/qtest.ts";
import { OutputWatch } from "./output-watch.ts";

/** After how many bytes of the stream the watch found its text. */
function endsOf(text: string, stream: string): number[] {
  const ends: number[] = [];
  let at = 0;
  const watch = new OutputWatch(text, () => ends.push(at));
  for (const byte of new TextEncoder().encode(stream)) {
    at++;
    watch.see(byte);
  }
  return ends;
}

it("finds a text wherever it ends in the output, overlapping ones too", () => {
  expect(endsOf("login: ", "Debian\nlogin: x\nlogin: ")).toEqual([14, 23]);
  expect(endsOf("aab", "aaab aab")).toEqual([4, 8]);
  expect(endsOf("grün", "grü grün")).toEqual([10]);
});

it("finds what indexOf finds, in random streams of few letters", () => {
  const random = generator(99);
  const word = (length: number) => Array.from({ length }, () => "ab"[random(2)]).join("");
  for (let turn = 0; turn < 500; turn++) {
    const text = word(1 + random(6));
    const stream = word(60);
    const expected: number[] = [];
    for (let at = stream.indexOf(text); at >= 0; at = stream.indexOf(text, at + 1))
      expected.push(at + text.length);
    expect(endsOf(text, stream)).toEqual(expected);
  }
});
