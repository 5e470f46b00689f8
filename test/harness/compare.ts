/** Runs a program twice in equal roots, on the host and on osv-vm, and expects the same of both. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type GuestOptions, runOnHost, runOnOsvVm } from "./osv-vm.ts";
import type { Outcome } from "./process.ts";
import { createRoot, describeTree, removeRoot } from "./root.ts";

/** Long output as text if it is text: a failed test then shows where it differs. */
function readable(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  return text.includes("\ufffd") ? bytes.toString("latin1") : text;
}

export interface ComparisonOptions extends Omit<GuestOptions, "root"> {
  /** Called with each fresh root before the program runs in it. */
  prepare?: (root: string) => void;
  /** A file in /work that is standard input. */
  inputFile?: string;
}

/**
 * Expects the same standard output, error output, exit status and files under /work as on the host.
 * @returns what osv-vm did
 */
export async function expectSameAsHost(
  program: readonly string[],
  { prepare, inputFile, ...options }: ComparisonOptions = {},
): Promise<Outcome> {
  const roots = [createRoot(), createRoot()] as const;
  try {
    for (const root of roots) prepare?.(root);
    const input = inputFile === undefined ? options.input : readFileSync(join(roots[0], "work", inputFile));
    const guest: Omit<GuestOptions, "root"> = {
      cwd: "/work",
      ...options,
      ...(input !== undefined && { input }),
    };
    const host = await runOnHost(program, { ...guest, root: roots[0] });
    const ours = await runOnOsvVm(program, { ...guest, root: roots[1] });
    expect(readable(ours.stderr)).toBe(readable(host.stderr));
    expect(readable(ours.stdout)).toBe(readable(host.stdout));
    expect(ours.status).toBe(host.status);
    expect(describeTree(join(roots[1], "work"))).toEqual(describeTree(join(roots[0], "work")));
    return ours;
  } finally {
    for (const root of roots) removeRoot(root);
  }
}
