/** A whole Linux, unmodified, on the emulated PC: what its console prints, and how it ends. */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { unpackDebianPackage } from "../../scripts/debian-package.ts";
import { BOOT_MS, CloudKernel, COMMAND_LINE, PROMPT } from "../harness/cloud-kernel.ts";
import { INIT_GREETING } from "../harness/initrd.ts";
import { OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingDebian } from "../harness/requirements.ts";

describeWith([missingDebian()], "Debian's cloud kernel", () => {
  const guest = new CloudKernel();

  it.each(["interp", "jit"])(
    "boots to a shell that works: processes, time, arithmetic; and poweroff ends us with status 0 (%s)",
    {
      timeout: 4 * BOOT_MS,
    },
    async (engine) => {
      const console = guest.start(COMMAND_LINE, ["--engine", engine]);
      await console.waitFor(INIT_GREETING, BOOT_MS);
      await console.waitFor(PROMPT, BOOT_MS);
      const cpuinfo = await guest.run(console, "cat /proc/cpuinfo");
      expect(cpuinfo).toMatch(/model name\s+: osv-vm/);
      expect(cpuinfo).toMatch(/flags\s+:.* hypervisor /);
      expect(await guest.run(console, "cat /proc/cmdline")).toContain(COMMAND_LINE);
      expect(
        await guest.run(
          console,
          "i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done; echo forks $i",
          BOOT_MS,
        ),
      ).toContain("forks 1000\n");
      const digest = execFileSync("sha256sum", [join(unpackDebianPackage("busybox-static"), "bin/busybox")]);
      expect(await guest.run(console, "sha256sum /bin/busybox")).toContain(digest.toString().slice(0, 64));
      const seconds = Number(/\d{9,}/.exec(await guest.run(console, "date +%s"))?.[0]);
      expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(5);
      const interrupts = await guest.run(console, "cat /proc/interrupts");
      expect(interrupts).toMatch(/ttyS0/);
      expect(interrupts).toMatch(/LOC:\s+[1-9]/);
      console.type("poweroff -f\n");
      expect(await console.end(60_000)).toBe(0);
    },
  );

  it("says what is wrong with a damaged kernel or RAM disk", { timeout: 2 * BOOT_MS }, async () => {
    const cut = join(guest.folder, "vmlinuz-cut");
    writeFileSync(cut, readFileSync(guest.kernel).subarray(0, 5_000_000));
    const refused = await runProcess([...OSV_VM, "boot", "--kernel", cut]);
    expect(refused.stderr.toString()).toMatch(
      /^osv-vm: .*vmlinuz-cut: is cut off: \d+ bytes of kernel are promised/,
    );
    expect(refused.status).toBe(125);

    // Linux itself finds out about a truncated RAM disk; we carry on.
    const initrd = join(guest.folder, "initrd-cut.gz");
    writeFileSync(initrd, readFileSync(guest.initrd).subarray(0, 100_000));
    const console = guest.start(`${COMMAND_LINE} panic=-1`, ["--no-reboot"], initrd);
    await console.waitFor(/Kernel panic - not syncing/, BOOT_MS);
    expect(await console.end(60_000)).toBe(0); // panic=-1 resets
  });
});
