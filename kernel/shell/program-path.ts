/** Finding programs by name. */

import { CommandFailure } from "./builtin.ts";
import type { Shell } from "./shell.ts";

/** Where programs are looked for when PATH says nothing. */
export const DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
/** How POSIX shells say that a program was not found, or is none (2.8.2). */
export const NOT_FOUND = 127;
export const NOT_EXECUTABLE = 126;

/** Where a program is: a path as it is given, a name in PATH. Throws {@link CommandFailure}. */
export function findProgram(shell: Shell, name: string): string {
  if (name.includes("/")) return name;
  let found: string | undefined;
  for (const directory of (shell.environment.get("PATH") ?? DEFAULT_PATH).split(":")) {
    const path = `${directory === "" ? "." : directory}/${name}`;
    if (shell.isProgram(path)) return path;
    if (shell.isRegularFile(path)) found ??= path;
  }
  if (found !== undefined) throw new CommandFailure(`${found}: Permission denied`, NOT_EXECUTABLE);
  throw new CommandFailure(`${name}: command not found`, NOT_FOUND);
}
