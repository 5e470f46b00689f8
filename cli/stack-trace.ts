/** Stack traces that name our source files: the command is built into a few files with short names. */

import { readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { builtFile } from "./built-file.ts";

const PLACE_IN_BUNDLE = /\(?[^\s(]*\b(cli(?:-[\w-]+)?\.cjs):(\d+):(\d+)\)?/g;

/** The error's stack, or its message if it has none. */
export function describeStack(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const maps = new Map<string, SourceMap | undefined>();
  return text.replaceAll(PLACE_IN_BUNDLE, (place, file: string, line: string, column: string) => {
    if (!maps.has(file)) maps.set(file, readMap(file));
    const entry = maps.get(file)?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !("originalSource" in entry)) return place;
    const source = entry.originalSource.replace(/^(\.\.\/)+/, "");
    return `(${source}:${entry.originalLine + 1}:${entry.originalColumn + 1})`;
  });
}

/** undefined: without the map the place stays as it is. */
function readMap(file: string): SourceMap | undefined {
  try {
    return new SourceMap(JSON.parse(readFileSync(builtFile(`${file}.map`), "utf8")));
  } catch {
    return undefined;
  }
}
