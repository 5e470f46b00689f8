/** Machines that tests boot, by their consoles. */

import { afterEach } from "vitest";
import { GuestConsole } from "./guest-console.ts";
import { OSV_VM } from "./osv-vm.ts";

/** Boots a machine with these options of `osv-vm boot`. */
export type Boot = (...options: readonly string[]) => GuestConsole;

/** For a suite: what a test has booted ends with it. */
export function useMachines(): Boot {
  const consoles: GuestConsole[] = [];
  afterEach(() => {
    for (const console of consoles.splice(0)) console.kill();
  });
  return (...options) => {
    const console = new GuestConsole([...OSV_VM, "boot", ...options]);
    consoles.push(console);
    return console;
  };
}

/** Types a command; returns its echo (which may be wrapped) and what it printed, and at the end `[status:N]`. */
export async function runInShell(
  console: GuestConsole,
  line: string,
  prompt: string,
  milliseconds = 60_000,
): Promise<string> {
  console.type(`${line}; echo "[status:$?]"\n`);
  const printed = await console.waitFor(/\[status:\d+\]/, milliseconds);
  await console.waitFor(prompt, milliseconds);
  return printed.replaceAll("\r", "");
}
