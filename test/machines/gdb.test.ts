/** Debian's gdb on our guests: a program, beside the same program under gdb on this host, and Debian's kernel. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { debianKernel } from "../../scripts/debian-package.ts";
import { REPOSITORY } from "../../scripts/repository.ts";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { GDB_PROMPT, Gdb, gdbPort, runGdb } from "../harness/gdb.ts";
import { GuestConsole } from "../harness/guest-console.ts";
import { buildInitrd } from "../harness/initrd.ts";
import { OSV_VM } from "../harness/osv-vm.ts";
import { describeWith, missingDebian, missingTool } from "../harness/requirements.ts";

const BOOT_MS = 240_000;
const SHELL_PROMPT = "/ # ";

let folder = "";
const guests: GuestConsole[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "osv-vm-gdb-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => {
  for (const guest of guests.splice(0)) guest.kill();
});

function start(command: readonly string[]): GuestConsole {
  const guest = new GuestConsole([...OSV_VM, ...command]);
  guests.push(guest);
  return guest;
}

describeWith([missingTool("gdb"), missingCompiler("glibc")], "gdb on a program", () => {
  let program = "";
  beforeAll(() => {
    program = compile(join(REPOSITORY, "test/system/programs/debugged.c"), "glibc", ["-g", "-O0"]);
  });

  const debug = async (
    commands: readonly string[],
    options: readonly string[] = [],
    parameters: readonly string[] = [],
  ) => {
    const guest = start(["run", "--gdb", "0", ...options, program, ...parameters]);
    const port = await gdbPort(guest);
    const said = await runGdb([`target remote :${port}`, ...commands], program);
    return { said, status: await guest.end(20_000), output: guest.output };
  };

  /** What is the same on the host: lines, frames, values; not addresses, thread ids and what libraries have for code. */
  const essence = (text: string): string[] =>
    text
      .split("\n")
      .filter((line) =>
        /^(#\d+ +(main|total|factorial|work|on_signal) |\d+\t|\$\d+ =|Old value|New value|[a-z]+ = |Breakpoint \d+, |.*hit Breakpoint)/.test(
          line,
        ),
      )
      .map((line) =>
        line
          .replace(/Thread \d+.*? hit /, "")
          .replaceAll(/0x[0-9a-f]+/g, "0x…")
          .replace(/ in (?=main|total|factorial)/, " "),
      );

  const SESSION = [
    "break main",
    "COME",
    "next",
    "print f",
    "step",
    "info args",
    "backtrace",
    "next",
    "next",
    "print list[i].y",
    "print points[2]",
    "finish",
    "tbreak factorial if n == 2",
    "print factorial(4)",
    "watch counter",
    "continue",
    "print counter",
    "delete",
    "break on_signal",
    "handle SIGUSR1 nostop noprint pass",
    "continue",
    "print number",
    "up",
    "delete",
    "continue",
  ];

  it.each(["interp", "jit"])("sees with %s what it sees on this host, line by line", async (engine) => {
    const ours = await debug(
      SESSION.map((line) => (line === "COME" ? "continue" : line)),
      ["--engine", engine],
    );
    const host = await runGdb(
      SESSION.map((line) => (line === "COME" ? "run" : line)),
      program,
    );
    expect(essence(ours.said)).toEqual(essence(host));
    expect(essence(host).length).toBeGreaterThan(15);
    expect(ours.said).toContain("exited with code 03");
    expect(ours.output).toBe("factorial 120, total 11.00, arguments 1\ncounter 9, signals 10\n");
    expect(ours.status).toBe(3);
  });

  it("shows threads with their names, and steps one while the others stay", async () => {
    const { said } = await debug([
      "handle SIGUSR1 nostop noprint pass",
      "break 41 if number == 2",
      "continue",
      "info threads",
      "set scheduler-locking on",
      "next",
      "print counter",
      "set scheduler-locking off",
      "info threads",
      "next",
      "thread apply all -q backtrace 1",
      "delete",
      "continue",
    ]);
    expect(said).toMatch(/\* \d+ +Thread \d+ "debugged[^"]*" \(runnable\) +work/);
    expect(said).toMatch(/ Thread \d+ "first"| Thread \d+ "second"/);
    expect(said).toContain("exited with code 03");
  });

  it("stops at a segmentation fault, and the program dies of it", async () => {
    const { said, status } = await debug(
      ["continue", "continue", "backtrace", "print $_siginfo", "continue"],
      [],
      ["crash"],
    );
    expect(said).toMatch(/received signal SIGSEGV[\s\S]*main \(argc=2/);
    expect(said).toContain("Program terminated with signal SIGSEGV");
    expect(status).toBe(128 + 11);
  });

  it("reads and writes registers of all kinds, memory, and calls functions", async () => {
    const { said } = await debug([
      "break total",
      "continue",
      "print $xmm0.v2_double[0] = 1.25",
      "print $xmm0.v2_double[0]",
      "print $ymm3.v8_int32[7] = 77",
      "print $ymm3.v8_int32[7]",
      "print $st0",
      "print $fs_base != 0",
      "print $mxcsr",
      "set var points[0].x = 41",
      "print points[0].x",
      "print $eflags",
      "set $rbx = 0x1122334455667788",
      "print/x $ebx",
      "find &points, +sizeof(points), 41",
      "kill",
    ]);
    for (const value of [
      "= 1.25",
      "= 77",
      "= 41",
      "= 0x55667788",
      "= [ IM DM ZM OM UM PM ]",
      "1 pattern found",
    ])
      expect(said).toContain(value);
  });

  it("leaves the program running when it detaches, and kills it when it quits", async () => {
    const detached = await debug(["break main", "continue", "detach"]);
    expect(detached.status).toBe(3);
    const killed = await debug(["break main", "continue"]);
    expect(killed.status).toBe(128 + 9);
    expect(killed.output).toBe("");
  });
});

describeWith(
  [missingTool("gdb"), missingDebian(), missingTool("as", "binutils")],
  "gdb on Debian's kernel",
  () => {
    it("stops at symbols, walks the stack, watches memory, steps and interrupts", {
      timeout: 2 * BOOT_MS,
    }, async () => {
      const kernel = debianKernel("linux-image-cloud-amd64");
      const append = "console=ttyS0 quiet cryptomgr.notests nokaslr";
      const guest = start([
        ...["boot", "--gdb", "0", "--kernel", kernel, "--initrd", buildInitrd(folder), "--append", append],
      ]);
      const gdb = new Gdb();
      guests.push(gdb);
      await gdb.waitFor(GDB_PROMPT, 20_000);
      expect(await gdb.command(`target remote :${await gdbPort(guest)}`)).toMatch(/0x0*1000200 in/);
      expect(await gdb.command("info registers cr0 efer")).toMatch(/PE .*PG[\s\S]*LME LMA/);
      expect(await gdb.command("stepi")).toMatch(/0x0*1000201 in/);
      gdb.type("continue\n");
      await guest.waitFor(SHELL_PROMPT, BOOT_MS);

      // The kernel's own symbols, as System.map would have them.
      const wanted = ["do_sys_openat2", "jiffies_64", "linux_banner", "vfs_read"];
      guest.type(`grep -wE '${wanted.join("|")}' /proc/kallsyms; echo en''d\n`);
      const listed = await guest.waitFor(/^end\r?$/m, 60_000);
      const symbols = new Map(
        [...listed.matchAll(/([0-9a-f]{16}) \w (\w+)/g)].map(([, at, name]) => [name, BigInt(`0x${at}`)]),
      );
      expect([...symbols.keys()].sort()).toEqual(wanted);
      const base = 0xffffffff81000000n;
      const lines = Array.from(
        symbols,
        ([name, at]) => `.globl ${name}\n${name} = base + ${at - base}\n.type ${name}, @function\n`,
      );
      const path = join(folder, "kernel");
      writeFileSync(`${path}.s`, `.section .kernel,"ax",@nobits\nbase: .skip 0x4000000\n${lines.join("")}`);
      execFileSync("as", ["-o", `${path}.o`, `${path}.s`]);
      execFileSync("ld", [
        `--section-start=.kernel=0x${base.toString(16)}`,
        "-e",
        "0",
        "-o",
        path,
        `${path}.o`,
      ]);

      gdb.signal("SIGINT");
      expect(await gdb.waitFor(GDB_PROMPT, 60_000)).toMatch(/received signal SIGINT/);
      expect(await gdb.command("info threads")).toMatch(/"CPU#0" \(halted\)/);
      await gdb.command(`symbol-file ${path}`);
      expect(await gdb.command("x/s &linux_banner")).toMatch(/Linux version 6/);
      await gdb.command("break do_sys_openat2");
      gdb.type("continue\n");
      guest.type("cat /proc/version\n");
      expect(await gdb.waitFor(GDB_PROMPT, 60_000)).toMatch(/Breakpoint 1, .* in do_sys_openat2/);
      expect(await gdb.command("x/s $rsi")).toContain('"/proc/version"');
      expect(await gdb.command("backtrace 3")).toMatch(/#0 .* in do_sys_openat2 \(\)\n#1 /);
      expect(await gdb.command("print $cs")).toMatch(/= 16/);
      await gdb.command("delete");
      await gdb.command(`watch *(unsigned long *) ${symbols.get("jiffies_64")}`);
      const watched = await gdb.command("continue");
      const [, before, after] = /Old value = (\d+)\s+New value = (\d+)/.exec(watched) ?? [];
      expect(Number(after) - Number(before)).toBeGreaterThan(0);
      await gdb.command("delete");
      const walked = await gdb.command(`monitor walk ${symbols.get("linux_banner")}`);
      expect(walked).toMatch(/4-level paging[\s\S]*PML4E[\s\S]*PDPTE[\s\S]*PDE[\s\S]*physical/);
      // Read through its physical address, the banner is the same.
      const physical = /physical ([0-9a-f]+)/.exec(walked)?.[1];
      expect(await gdb.command(`monitor xp 0x${physical} 32`)).toContain("Linux version");
      await gdb.command("break vfs_read");
      await gdb.command("delete");
      expect(await gdb.command("stepi 100")).toMatch(/0x/);
      await gdb.command("detach");
      guest.type("poweroff -f\n");
      expect(await guest.end(60_000)).toBe(0);
    });
  },
);
