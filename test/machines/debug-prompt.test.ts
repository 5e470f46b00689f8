/** `osv-vm debug`: the prompt on a pipe and on a terminal. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianKernel } from "../../scripts/debian-package.ts";
import { REPOSITORY } from "../../scripts/repository.ts";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { runGdb } from "../harness/gdb.ts";
import { buildInitrd } from "../harness/initrd.ts";
import { OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingDebian, missingTool } from "../harness/requirements.ts";
import { Terminal } from "../harness/terminal.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "osv-vm-debug-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function session(parameters: readonly string[], commands: readonly string[], timeout = 60_000) {
  const outcome = await runProcess([...OSV_VM, "debug", ...parameters], {
    input: commands.map((line) => `${line}\n`).join(""),
    timeout,
  });
  return { said: outcome.stdout.toString(), errors: outcome.stderr.toString(), status: outcome.status };
}

describeWith([missingCompiler("glibc")], "the prompt on a program", () => {
  let program = "";
  beforeAll(() => {
    program = compile(join(REPOSITORY, "test/system/programs/debugged.c"), "glibc", ["-g", "-O0"]);
  });

  it("breaks, steps by lines, walks the stack and watches memory", async () => {
    const { said, status } = await session(
      [program],
      [
        ...[
          "break main",
          "continue",
          "next",
          "print $rax",
          "step",
          "backtrace",
          "finish",
          "watch counter 4",
          "delete 2",
        ],
        ...["break work", "continue", "threads", "delete", "continue", "continue"],
      ],
    );
    expect(said).toMatch(/breakpoint 1: 0x\w+ <main\+0x\w+> at debugged.c:\d+/);
    expect(said).toMatch(/0x78 = 120/);
    expect(said).toMatch(/#0 {2}0x\w+ <total\+0x\w+> at debugged.c:\d+\n#1 {2}0x\w+ <main\+/);
    expect(said).toMatch(/returned 0x/);
    expect(said).toMatch(/thread \d+: breakpoint 3: 0x\w+ <work/);
    expect(said).toContain("SIGUSR1 at");
    expect(said).toContain("the guest has ended with status 3");
    expect(status).toBe(3);
  });

  it("shows the old and the new value of what is watched, and only changes", async () => {
    const { said } = await session([program], ["watch counter 4", "c", "c", "c", "quit"]);
    expect(
      [...said.matchAll(/watch 1: counter 0x(\w+) → 0x(\w+)/g)].map(([, a, b]) => [Number(a), Number(b)]),
    ).toEqual([
      [0, 1],
      [1, 3],
      [3, 6],
    ]);
  });

  it("stops where a condition is met, once if that is wanted, and not where it is disabled", async () => {
    const { said } = await session(
      [program],
      [
        ...["break factorial if d:*($rbp-4) == 3", "c", "up", "down", "down", "delete"],
        ...["tbreak total if *counter == 0", "break total", "disable 3", "c", "info b", "c", "quit"],
      ],
    );
    // factorial(3) is called by 4, that by 5.
    expect(said).toMatch(
      /breakpoint 1: .*<factorial[\s\S]*#1 0x\w+ <factorial[^\n]*:23\n +23 {4}return n \* f/,
    );
    expect(said).toContain("this is the innermost frame");
    expect(said.match(/^breakpoint 2: .*<total/gm)).toHaveLength(2); // set, and met
    expect(said).toMatch(/ 3 {2}break {2}0x\w+ <total.*, 0 hits, disabled\n/);
    expect(said).toContain("SIGUSR1 at");
  });

  it("shows memory and values in gdb's formats, lines of source, and what is on the stack", async () => {
    const { said } = await session(
      [program],
      [
        ...["break factorial", "c", "x/3dw points", "x/2s *(points+16)", "x/2i main", "p/t 5", "p/c 0x41"],
        ...[
          "list",
          "display/d *counter",
          "stack 4",
          "find points 64 0 0 0 0 0 0 0xf8 0x3f",
          "info registers rip",
        ],
        ...["x/3q main", "quit"],
      ],
    );
    for (const text of [
      /points>: {2}1 {2}0 {2}0\n/,
      /"one"\n.*"two"\n/,
      /push rbp\n.*mov rbp, rsp\n/,
      /\n0b101\n/,
      /\n65 'A'\n/,
      /→ +21 {2} {2}if \(n <= 1\)\n/,
      /1: \*counter = 0\n/,
      /rsp\+000 .*\nrsp\+008 /,
      /points\+0x20>/,
      /rip +0{8}\w+ {2}factorial\+0x/,
      /\/3q: a count, b h w g for 1 2 4 8 bytes/,
    ])
      expect(said).toMatch(text);
  });

  describeWith([missingTool("gdb")], "beside gdb on this host", () => {
    it.each([
      ["factorial+4", ["c"]],
      ["__libc_write", ["c", "c"]], // at the end
      ["on_signal+4", ["c", "c"]], // stops for the signal, and in its handler
    ])("has the same callers in %s", async (place, going) => {
      const breakpoint = `break *(char *) ${place}`;
      const gdb = await runGdb(
        ["handle SIGUSR1 nostop noprint pass", breakpoint, "run", "backtrace"],
        program,
      );
      const { said } = await session([program], [`break ${place}`, ...going, "bt", "quit"]);
      const addresses = (text: string): string[] =>
        [...text.matchAll(/^#[1-9]\d* +(?:0x0*([0-9a-f]+) .*|(<signal handler called>))$/gm)].map((match) =>
          match[0].includes("<signal") ? "signal" : match[1],
        );
      const theirs = addresses(gdb);
      expect(theirs.length).toBeGreaterThan(0);
      // gdb ends at main.
      expect(addresses(said).slice(0, theirs.length)).toEqual(theirs);
    });
  });

  it("stops at watched memory that a system call writes, at once or after it has waited", async () => {
    const path = compile(join(REPOSITORY, "test/system/programs/watched-call.c"), "glibc", ["-g", "-O0"]);
    const { said, status } = await session(
      [path],
      ["watch first", "watch second", "c", "p/s first", "c", "p/s second", "threads", "delete", "c"],
    );
    expect(said).toMatch(/watch 1: first 0x0+ → 0x0065636e6f207461\nbehind 0x\w+ <.*read/);
    expect(said).toMatch(/watch 2: second 0x0+ → 0x00676e6974696177\n(thread 3: )behind 0x\w+ <.*read/);
    expect(said).toContain('"at once"');
    expect(said).toContain('"waiting"');
    expect(status).toBe(0);
  });

  it("sets registers and memory, and traces to a file", async () => {
    const trace = join(folder, "trace");
    const { said } = await session(
      [program],
      [
        ...[
          "set $rbx = 0x1234",
          "print $bx + 1",
          "set d:*counter = 41",
          "memory counter 4",
          `trace ${trace} 50`,
          "quit",
        ],
      ],
    );
    expect(said).toContain("0x1235 = 4661");
    expect(said).toMatch(/29 00 00 00/);
    const lines = readFileSync(trace, "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(50);
    expect(lines[0]).toMatch(/^0{8}00\w+ _start +xor ebp, ebp/);
    expect(lines.filter((line) => / pop rsi .* rsp=/.test(line))).toHaveLength(1);
  });

  it("answers what it cannot do with a sentence, and goes on", async () => {
    const { said, status } = await session(
      [program],
      [
        ...[
          "nonsense",
          "break nowhere",
          "x 0x10",
          "delete 7",
          "print 1/0",
          "set $cr0 = 1",
          "s p a m",
          "thread 99",
          "symbols /none",
        ],
        ...["lookup [", "memory", "re", "", "help", "quit"],
      ],
    );
    for (const sentence of [
      "there is no command nonsense",
      "there is no symbol nowhere",
      "no memory at",
      "there is no breakpoint 7",
      "division by zero",
      "cr0 cannot be set",
      "there is no thread 99",
      "/none: cannot be read",
    ])
      expect(said).toContain(sentence);
    expect(said).toMatch(/nexti \[COUNT\] +one instruction/);
    expect(status).toBe(128 + 9);
  });

  describeWith([missingTool("tmux")], "on a terminal", () => {
    it("shows registers that have changed, completes, and comes back with Ctrl-C", async () => {
      const terminal = new Terminal([...OSV_VM, "debug", program], { columns: 100, rows: 30 });
      try {
        await terminal.waitFor("(osv-vm)");
        terminal.type("break facto");
        terminal.press("Tab");
        await terminal.waitFor("break factorial");
        terminal.press("Enter");
        terminal.type("c");
        terminal.press("Enter");
        await terminal.waitFor(/breakpoint 1: .*<factorial/);
        const screen = (await terminal.settle()).join("\n");
        expect(screen).toMatch(/rip \w{16}\*/);
        expect(screen).toMatch(/→ \w+ .*cmp dword ptr/);
        expect(terminal.colouredScreen()).toContain("\u001b[1m");
        terminal.type("si");
        terminal.press("Enter");
        await terminal.settle();
        terminal.press("Enter"); // again
        await terminal.settle();
        terminal.type("print $rdi + 1");
        terminal.press("Enter");
        await terminal.waitFor(/0x\w+ = \d+/);
        terminal.type("quit");
        terminal.press("Enter");
        await terminal.waitFor(/\[status \d+\]/);
      } finally {
        terminal.close();
      }
    });
  });
});

describe("the prompt on a disk", () => {
  it("stops where the BIOS writes the boot sector to memory, as a controller does", async () => {
    const sector = new Uint8Array(512);
    sector.set([0xb8, 0x34, 0x12, 0xf4]); // mov ax, 0x1234; hlt
    sector.set([0x55, 0xaa], 510);
    const disk = join(folder, "disk.img");
    writeFileSync(disk, sector);
    const { said } = await session(
      [disk],
      ["watch 0x7c00 4", "c", "x/1i 0x7c00", "tbreak 0x7c00", "c", "si", "quit"],
    );
    expect(said).toMatch(/watch 1: 0x7c00 0x00000000 → 0xf41234b8/);
    expect(said).toMatch(/mov ax, 0x1234/);
    expect(said).toMatch(/at 0x0+7c03/);
  });
});

describeWith([missingDebian()], "the prompt on a kernel", () => {
  it("boots it up to a breakpoint, shows system registers and page tables", {
    timeout: 240_000,
  }, async () => {
    const kernel = debianKernel("linux-image-cloud-amd64");
    const { said } = await session(
      ["--kernel", kernel, "--initrd", buildInitrd(folder), "--append", "console=ttyS0 quiet nokaslr"],
      [
        "registers system",
        "break 0x1000000",
        "continue",
        "walk $rip",
        "info mem",
        "stepi 3",
        "backtrace",
        "quit",
      ],
      220_000,
    );
    expect(said).toMatch(/efer +0{13}500/);
    // Where the kernel begins that the boot code has unpacked, before it moves to the upper half.
    expect(said).toMatch(/breakpoint 1: 0x0+1000000\n/);
    expect(said).toMatch(/0001000000: 4-level paging[\s\S]*page of 2 MiB, rw. supervisor/);
    expect(said).toMatch(/^0{16}-\w+ -rwx /m);
  });
});
