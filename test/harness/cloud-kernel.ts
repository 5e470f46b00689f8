/** Debian's cloud kernel with a RAM disk of busybox, on the emulated PC. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll } from "vitest";
import { debianKernel } from "../../scripts/debian-package.ts";
import { GuestConsole } from "./guest-console.ts";
import { buildInitrd } from "./initrd.ts";
import { OSV_VM } from "./osv-vm.ts";

/** Of the RAM disk's shell. */
export const PROMPT = "/ # ";
/** Ten times what it takes on an idle machine. */
export const BOOT_MS = 240_000;
export const COMMAND_LINE = "console=ttyS0 quiet cryptomgr.notests";

export class CloudKernel {
  /** A directory for what a test makes. */
  folder = "";
  kernel = "";
  initrd = "";
  private readonly consoles: GuestConsole[] = [];

  /** Fetched before the first test of a suite; what a test has started ends with it. */
  constructor() {
    beforeAll(() => {
      this.folder = mkdtempSync(join(tmpdir(), "osv-vm-boot-"));
      this.kernel = debianKernel("linux-image-cloud-amd64");
      this.initrd = buildInitrd(this.folder);
    });
    afterEach(() => {
      for (const console of this.consoles.splice(0)) console.kill();
    });
    afterAll(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** The command that boots it. */
  command(append = COMMAND_LINE, options: readonly string[] = [], initrd = this.initrd): string[] {
    const { kernel } = this;
    return [...[...OSV_VM, "boot", "--kernel", kernel, "--initrd", initrd, "--append", append], ...options];
  }

  start(append?: string, options?: readonly string[], initrd?: string): GuestConsole {
    return this.follow(this.command(append, options, initrd));
  }

  follow(command: readonly string[]): GuestConsole {
    const console = new GuestConsole(command);
    this.consoles.push(console);
    return console;
  }
}

/** Types a command; returns its echo (which may be wrapped) and what it printed. */
export async function runInShell(
  console: GuestConsole,
  line: string,
  milliseconds = 60_000,
): Promise<string> {
  console.type(`${line}; echo "[status:$?]"\n`);
  const printed = await console.waitFor(/\[status:\d+\]\r?\n/, milliseconds);
  await console.waitFor(PROMPT, milliseconds);
  return printed.replaceAll("\r", "");
}
