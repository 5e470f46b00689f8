/** What Linux finds on the emulated PC, the other ways to start it, and to start it again. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { BOOT_MS, CloudKernel, COMMAND_LINE, PROMPT } from "../harness/cloud-kernel.ts";
import { INIT_GREETING } from "../harness/initrd.ts";
import { describeWith, missingDebian, missingTool } from "../harness/requirements.ts";
import { Terminal } from "../harness/terminal.ts";
import { extractVmlinux, withoutLinuxNotes } from "../harness/vmlinux.ts";

describeWith([missingDebian()], "Debian's cloud kernel", () => {
  const guest = new CloudKernel();

  it("finds KVM's interface, its timers and its tables", { timeout: 2 * BOOT_MS }, async () => {
    const console = guest.start("console=ttyS0 cryptomgr.notests earlyprintk=serial,ttyS0,115200");
    const log = await console.waitFor(INIT_GREETING, BOOT_MS);
    for (const line of [
      /Hypervisor detected: KVM/,
      /kvm-clock: Using msrs 4b564d01 and 4b564d00/,
      /tsc: Detected 1000\.000 MHz processor/,
      /TSC deadline timer available/,
      /x2apic enabled/,
      /IOAPIC\[0\]: apic_id 0, version 32/,
      /hpet0: 3 comparators, 64-bit 100\.000000 MHz counter/,
      /ACPI: PM: \(supports S0 S5\)/,
      /PCI: MMCONFIG for domain 0000/,
      /ttyS0 at I\/O 0x3f8 \(irq = 4, base_baud = 115200\) is a 16550A/,
      /serio: i8042 KBD port at 0x60,0x64 irq 1/,
      /rtc_cmos .* setting system clock to/,
      /DMI: osv-vm/,
    ]) {
      expect(log).toMatch(line);
    }
    for (const line of [/ACPI (BIOS )?(Error|Warning)/, /Firmware Bug/, /\bBUG:/, /WARNING:/, /Call Trace/]) {
      expect(log).not.toMatch(line);
    }
  });

  it("has 3 GiB of memory, most of them in use", { timeout: 2 * BOOT_MS }, async () => {
    const console = guest.start(COMMAND_LINE, ["--memory", "3G"]);
    await console.waitFor(PROMPT, BOOT_MS);
    expect(await guest.run(console, "cat /proc/meminfo")).toMatch(/MemTotal: +(29|30|31)\d{5} kB/);
    const filled =
      "mount -t tmpfs -o size=90% t /mnt; dd if=/dev/zero of=/mnt/f bs=1M count=2300 2>/dev/null";
    await guest.run(console, `mkdir -p /mnt; ${filled}`, BOOT_MS);
    expect(await guest.run(console, "dd if=/mnt/f of=/dev/null bs=1M", BOOT_MS)).toMatch(
      /2300\+0 records in/,
    );
    console.type("poweroff -f\n");
    expect(await console.end(60_000)).toBe(0);
  });

  it("starts again on reboot, and ends instead with --no-reboot", { timeout: 4 * BOOT_MS }, async () => {
    const console = guest.start();
    await console.waitFor(PROMPT, BOOT_MS);
    console.type("reboot -f\n");
    await console.waitFor(INIT_GREETING, BOOT_MS);
    await console.waitFor(PROMPT, BOOT_MS);
    console.type("poweroff -f\n");
    expect(await console.end(60_000)).toBe(0);

    const once = guest.start(COMMAND_LINE, ["--no-reboot"]);
    await once.waitFor(PROMPT, BOOT_MS);
    once.type("reboot -f\n");
    expect(await once.end(60_000)).toBe(0);
  });

  describeWith([missingTool("lz4")], "uncompressed", () => {
    it("boots by its 64-bit entry point and by PVH's", { timeout: 4 * BOOT_MS }, async () => {
      const vmlinux = extractVmlinux(readFileSync(guest.kernel));
      for (const [name, content] of [
        ["vmlinux", vmlinux],
        ["vmlinux-pvh", withoutLinuxNotes(vmlinux)],
      ] as const) {
        const path = join(guest.folder, name);
        writeFileSync(path, content);
        const console = guest.startOther(path, "--initrd", guest.initrd, "--append", COMMAND_LINE);
        await console.waitFor(PROMPT, BOOT_MS);
        console.type("poweroff -f\n");
        expect(await console.end(60_000)).toBe(0);
      }
    });
  });

  it("runs the same twice on instruction time, to the nanosecond, and the same again compiled", {
    timeout: 6 * BOOT_MS,
  }, async () => {
    const logs: string[] = [];
    for (const engine of ["interp", "interp", "jit"]) {
      const console = guest.start(`${COMMAND_LINE} loglevel=7`, ["--deterministic", "--engine", engine]);
      logs.push(await console.waitFor(INIT_GREETING, BOOT_MS));
      console.kill();
    }
    expect(logs[1]).toBe(logs[0]);
    expect(logs[2]).toBe(logs[0]);
    expect(logs[0]).toMatch(/\[ +\d+\.\d+\] Run \/init/);
  });

  describeWith([missingTool("tmux")], "on a terminal", () => {
    it("passes keys through, and Ctrl-A x leaves", { timeout: 2 * BOOT_MS }, async () => {
      const terminal = new Terminal(guest.command());
      try {
        await terminal.waitFor(/^\/ #\s*$/m, BOOT_MS);
        terminal.type("echo $((6*7))x");
        terminal.press("Enter");
        await terminal.waitFor("42x");
        terminal.type("sleep 100");
        terminal.press("Enter");
        await terminal.settle();
        terminal.press("C-c"); // the guest's
        terminal.type("echo after");
        terminal.press("Enter");
        await terminal.waitFor(/^after$/m);
        terminal.press("C-a", "h");
        await terminal.waitFor("Ctrl-A x");
        terminal.press("C-a", "x");
        await terminal.waitFor("[status 0]");
      } finally {
        terminal.close();
      }
    });
  });
});
