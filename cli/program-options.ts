/** What the command line's options are for the kernel and the first program. */

import type { MachineOptions } from "./machine-options.ts";
import { DEFAULT_PATH } from "./program-path.ts";
import type { HostMount } from "./root.ts";

/**
 * The first program's environment: what is given, over what every program may expect.
 * @param onTerminal does its output go to one?
 */
export function environmentOf(options: MachineOptions, onTerminal: boolean): string[] {
  const variables = new Map([
    ["PATH", DEFAULT_PATH],
    ["HOME", "/root"],
  ]);
  if (onTerminal) variables.set("TERM", process.env.TERM ?? "xterm");
  for (const assignment of options.env) {
    const equals = assignment.indexOf("=");
    variables.set(assignment.slice(0, equals), assignment.slice(equals + 1));
  }
  return Array.from(variables, ([name, value]) => `${name}=${value}`);
}

/** The root that --root and --ro ask for. */
export function hostRoot({ root, ro }: MachineOptions): HostMount | undefined {
  return root === undefined ? undefined : { directory: root, keepChangesInMemory: ro };
}

/** The options as OSv's own command line has them. */
export function kernelOptions(options: MachineOptions): string[] {
  return [
    ...(options.verbose ? ["--verbose"] : []),
    ...(options.cwd === undefined ? [] : [`--cwd=${options.cwd}`]),
    ...options.env.map((assignment) => `--env=${assignment}`),
    ...options.trace.map((topic) => `--trace=${topic}`),
  ];
}
