/** Finds what the build has put into dist/. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { CommandError } from "./command-error.ts";

/** From the bundle, and from the sources (in tests). */
const PLACES = [".", "../dist"];

/**
 * The path of a file in dist/.
 * @throws CommandError if it is not there
 */
export function builtFile(name: string): string {
  for (const place of PLACES) {
    const path = join(import.meta.dirname, place, name);
    if (existsSync(path)) return path;
  }
  throw new CommandError(`dist/${name} is missing: run \`npm install\` in the folder of osv-vm`);
}
