/** Finds what the build has put into dist/. */

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CommandError } from "./command-error.ts";

/** From the bundle, and from the sources (in tests). */
const PLACES = ["./", "../dist/"];

/**
 * The path of a file in dist/.
 * @throws CommandError if it is not there
 */
export function builtFile(name: string): string {
  for (const place of PLACES) {
    const path = fileURLToPath(new URL(`${place}${name}`, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new CommandError(`dist/${name} is missing: run \`npm install\` in the folder of osv-vm`);
}
