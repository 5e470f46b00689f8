/** Debian's cloud kernel with a RAM disk of busybox, on the emulated PC. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { debianKernel } from "../../scripts/debian-package.ts";
import { runInShell, useMachines } from "./booted-machines.ts";
import type { GuestConsole } from "./guest-console.ts";
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
  private readonly boot = useMachines();

  /** Fetched before the first test of a suite; what a test has started ends with it. */
  constructor() {
    beforeAll(() => {
      this.folder = mkdtempSync(join(tmpdir(), "osv-vm-boot-"));
      this.kernel = debianKernel("linux-image-cloud-amd64");
      this.initrd = buildInitrd(this.folder);
    });
    afterAll(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  private options(append = COMMAND_LINE, options: readonly string[] = [], initrd = this.initrd): string[] {
    return ["--kernel", this.kernel, "--initrd", initrd, "--append", append, ...options];
  }

  /** The command that boots it. */
  command(): string[] {
    return [...OSV_VM, "boot", ...this.options()];
  }

  start(append?: string, options?: readonly string[], initrd?: string): GuestConsole {
    return this.boot(...this.options(append, options, initrd));
  }

  /** Boots something else than that kernel. */
  startOther(...options: readonly string[]): GuestConsole {
    return this.boot(...options);
  }

  /** Types a command into its shell. */
  run(console: GuestConsole, line: string, milliseconds?: number): Promise<string> {
    return runInShell(console, line, PROMPT, milliseconds);
  }
}
