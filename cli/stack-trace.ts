/** Stack traces that name our source files: the bundle is one file with short names. */

import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { builtFile } from "./built-file.ts";

const PLACE_IN_BUNDLE = /\(?[^\s(]*\bcli\.cjs:(\d+):(\d+)\)?/g;

/** The error's stack, or its message if it has none. */
export function describeStack(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  try {
    const map = new SourceMap(JSON.parse(readFileSync(builtFile("cli.cjs.map"), "utf8")));
    return text.replaceAll(PLACE_IN_BUNDLE, (place, line: string, column: string) => {
      const entry = map.findEntry(Number(line) - 1, Number(column) - 1);
      if (!("originalSource" in entry)) return place;
      const file = entry.originalSource.replace(/^(\.\.\/)+/, "");
      return `(${file}:${entry.originalLine + 1}:${entry.originalColumn + 1})`;
    });
  } catch {
    return text; // without the map, as it is
  }
}
