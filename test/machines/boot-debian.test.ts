/** Debian's other kernels for PCs, and its memory tester: what they print, and how they end. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { debianKernel, type ForeignArchitecture, unpackDebianPackage } from "../../scripts/debian-package.ts";
import { useMachines } from "../harness/booted-machines.ts";
import { buildInitrd, INIT_GREETING } from "../harness/initrd.ts";
import { describeWith, missingDebian } from "../harness/requirements.ts";

const PROMPT = "/ # ";
/** These kernels are packed with xz: they execute two billion instructions before they are unpacked. */
const BOOT_MS = 600_000;
const FORKS_MS = 300_000;

let folder = "";
const start = useMachines();
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "osv-vm-boot-debian-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWith([missingDebian()], "Debian's kernels", () => {
  it.each<[flavour: string, machine: string, architecture: ForeignArchitecture | undefined]>([
    ["linux-image-amd64", "x86_64", undefined],
    ["linux-image-686", "i686", "i386"],
    ["linux-image-686-pae", "i686", "i386"],
  ])(
    "%s gives a shell that forks 1,000 times, and poweroff ends us with status 0",
    {
      timeout: BOOT_MS + FORKS_MS,
    },
    async (flavour, machine, architecture) => {
      const kernel = debianKernel(flavour, architecture);
      const initrd = buildInitrd(folder, undefined, architecture);
      const append = "console=ttyS0 quiet cryptomgr.notests";
      const console = start("--kernel", kernel, "--initrd", initrd, "--append", append);
      await console.waitFor(INIT_GREETING, BOOT_MS);
      await console.waitFor(PROMPT, FORKS_MS);
      console.type('uname -m; cat /proc/cpuinfo; echo "[status:$?]"\n');
      const cpuinfo = await console.waitFor(/\[status:0\]/, FORKS_MS);
      expect(cpuinfo).toContain(machine);
      expect(cpuinfo).toMatch(/model name\s*: osv-vm x86-64-v3/);
      await console.waitFor(PROMPT, FORKS_MS);
      console.type("i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done; echo forks $i\n");
      await console.waitFor("forks 1000", FORKS_MS);
      await console.waitFor(PROMPT, FORKS_MS);
      console.type("poweroff -f\n");
      expect(await console.end(FORKS_MS)).toBe(0);
    },
  );
});

describeWith([missingDebian()], "memtest86+", () => {
  it("begins its first pass and finds no error, on the screen as on the serial line", {
    timeout: BOOT_MS,
  }, async () => {
    const image = join(unpackDebianPackage("memtest86+"), "boot/memtest86+x64.bin");
    const console = start(
      ...["--kernel", image, "--append", "console=ttyS0,115200", "--memory", "32M"],
      ...["--display", "text"],
    );
    await console.waitFor("Memtest86+", BOOT_MS);
    await console.waitFor("Moving inversions", BOOT_MS); // behind the tests of address lines
    console.interrupt();
    expect(await console.end(60_000)).toBe(0);
    const screen = console.errors;
    expect(screen).toMatch(/│ +Memtest86\+ v\d/);
    expect(screen).toMatch(/Errors: 0 /);
    expect(screen).toMatch(/osv-vm x86-64-v3/);
  });
});
