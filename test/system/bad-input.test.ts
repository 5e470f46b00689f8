/** Bad input gets one clear line on stderr and the right exit status; never a stack trace, never a hang. */

import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { isStandIn, OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingTool } from "../harness/requirements.ts";
import { createRoot, missingBusybox, removeRoot } from "../harness/root.ts";

const run = (...parameters: string[]) => runProcess([...OSV_VM, ...parameters], { timeout: 60_000 });
const notStandIn = isStandIn ? "OSV_VM_COMMAND stands in for osv-vm" : undefined;

/** Expects exactly one line on stderr, "osv-vm: …", that matches; nothing on stdout; and the exit status. */
async function expectError(parameters: string[], status: number, message: RegExp) {
  const outcome = await run(...parameters);
  const stderr = outcome.stderr.toString();
  expect(stderr).toMatch(/^osv-vm: [^\n]+\n$/);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/internal error|\bat .*\.js:\d+/);
  expect(outcome.stdout.toString()).toBe("");
  expect(outcome.status).toBe(status);
}

describe("an invalid option", () => {
  it.each([
    [["--nonsense"], /unknown option '--nonsense'/],
    [["run", "--memry", "5M", "x"], /unknown option '--memry'; did you mean --memory\?/],
    [["run", "--memory", "lots", "x"], /--memory.*'lots'.*512M or 2G/],
    [["run", "--memory", "1K", "x"], /--memory.*'1K'.*from 4M/],
    [["run", "--engine", "warp", "x"], /--engine.*'warp'.*interp/],
    [["run", "--trace", "everything", "x"], /--trace.*'everything'.*syscalls/],
    [["run", "--env", "NOVALUE", "x"], /--env.*'NOVALUE'.*NAME=VALUE/],
    [["run", "--cpus", "2", "x"], /--cpus.*'2'.*one processor/],
    [["run", "--net", "user", "x"], /--net.*'user'.*no network/],
    [["run", "--forward", "tcp:1:2", "x"], /--forward.*not available in this version/],
    [["run", "--disk", "x.img", "x"], /--disk.*not available in this version/],
    [["run", "--gdb"], /--gdb|program/],
    [["run"], /missing required argument 'program'/],
    [["run", "--root"], /--root.*argument missing/],
    [["run", "--root", "/nowhere/at/all", "x"], /\/nowhere\/at\/all.*no such file or directory/i],
    [["run", "--root", "/etc/passwd", "x"], /\/etc\/passwd.*not a directory/i],
    [["rnu", "x"], /no such command: rnu/],
    [["boot", "disk.img"], /boot disk.img: no such file or directory/],
    [["boot"], /boot: nothing to boot; name a kernel with --kernel/],
    [["boot", "--kernel", "/etc/passwd"], /\/etc\/passwd: is no kernel/],
    [["boot", "--kernel", "/nowhere"], /--kernel \/nowhere: no such file or directory/],
    [["boot", "--kernel", "/etc/passwd", "/etc/group"], /\/etc\/passwd: is no kernel/],
    [["boot", "--device", "floppy"], /--device.*The devices are: isa-debug-exit/],
    [["boot", "--device", "isa-debug-exit,iobase=x"], /iobase must be a number/],
    [["boot", "--disk", "x.img"], /--disk x\.img: no such file or directory/],
    [["debug", "--nonsense", "hello"], /unknown option '--nonsense'/],
    [["serve"], /serve: this command is not available in version/],
    [["disasm"], /missing required argument 'file'/],
    [["disasm", "/nowhere"], /\/nowhere: no such file or directory/],
    [["disasm", "--start", "here", "/bin/sh"], /--start here/],
  ])("osv-vm %s", (parameters, message) => expectError(parameters, 125, message));
});

describe("an error of our own", () => {
  const folder = mkdtempSync(join(tmpdir(), "osv-vm-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is told with the places in our sources, also behind the first file of dist/", async () => {
    const hook = join(folder, "hook.cjs");
    writeFileSync(
      hook,
      `const fs = require("node:fs");
const read = fs.readFileSync;
fs.readFileSync = (path, ...rest) => {
  if (path === "glass") throw new Error("broken");
  return read(path, ...rest);
};`,
    );
    const [node, ...command] = OSV_VM;
    const { stderr, status } = await runProcess([node, "-r", hook, ...command, "disasm", "glass"]);
    expect(stderr.toString()).toMatch(
      /^osv-vm: internal error, please report it: Error: broken\n[\s\S]*\(cli\/disasm\.ts:\d+:\d+\)/,
    );
    expect(status).toBe(125);
  });
});

describeWith([missingBusybox(), notStandIn], "a program", () => {
  let root = "";
  const put = (name: string, bytes: string | Uint8Array, mode = 0o755) => {
    writeFileSync(join(root, "bin", name), bytes);
    chmodSync(join(root, "bin", name), mode);
  };

  beforeAll(() => {
    root = createRoot();
    const busybox = readFileSync(join(root, "bin/busybox"));
    const changed = (offset: number, ...bytes: number[]) => {
      const copy = Uint8Array.from(busybox);
      copy.set(bytes, offset);
      return copy;
    };
    put("text", "just text\n");
    put("empty", "");
    put("zeros", new Uint8Array(4096));
    put("magic-only", busybox.subarray(0, 4));
    put("truncated-header", busybox.subarray(0, 40));
    put("truncated-table", busybox.subarray(0, 100));
    put("truncated-segment", busybox.subarray(0, 5000));
    put("aarch64", changed(18, 183, 0));
    put("i386", changed(18, 3, 0));
    put("elf32", changed(4, 1));
    put("big-endian", changed(5, 2));
    put("object", changed(16, 1, 0));
    put("no-segments", changed(56, 0, 0));
    put("table-beyond-file", changed(32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f));
    put("not-executable", busybox, 0o644);
    put("script-without-interpreter", "#!/bin/no-such-interpreter\n");
    mkdirSync(join(root, "bin/directory"));
    symlinkSync("loop-b", join(root, "bin/loop-a"));
    symlinkSync("loop-a", join(root, "bin/loop-b"));
    symlinkSync("nowhere", join(root, "bin/dangling"));
    symlinkSync("../../../../../../../../etc/hostname", join(root, "bin/escaping"));
  });

  afterAll(() => removeRoot(root));

  it.each([
    ["text", 126, /text: .*(neither|not) an ELF/i],
    ["empty", 126, /empty: .*(not an ELF|is empty)/i],
    ["zeros", 126, /zeros: .*(neither|not) an ELF/i],
    ["magic-only", 126, /magic-only: .*truncated/i],
    ["truncated-header", 126, /truncated-header: .*truncated/i],
    ["truncated-table", 126, /truncated-table: .*truncated/i],
    ["truncated-segment", 126, /truncated-segment: .*truncated/i],
    ["aarch64", 126, /aarch64: .*aarch64.*x86-64/i],
    ["i386", 126, /i386: .*(i386|80386).*x86-64/i],
    ["elf32", 126, /elf32: .*32-bit/i],
    ["big-endian", 126, /big-endian: .*big.endian/i],
    ["object", 126, /object: .*(relocatable|object file|not an executable)/i],
    ["no-segments", 126, /no-segments: /i],
    ["table-beyond-file", 126, /table-beyond-file: .*truncated/i],
    ["not-executable", 126, /not-executable: .*permission denied|not executable/i],
    ["script-without-interpreter", 127, /no-such-interpreter/],
    ["directory", 126, /directory: is a directory/i],
    ["dangling", 127, /dangling: .*(no such file|not found)/i],
    ["loop-a", 126, /loop-a: .*symbolic links/i],
    ["escaping", 127, /escaping: .*(no such file|not found)/i],
    ["missing", 127, /missing: .*(no such file|not found)/i],
  ])("/bin/%s exits with %i", (name, status, message) =>
    expectError(["run", "--root", root, `/bin/${name}`], status, message),
  );

  it("that is not in PATH exits with 127", () =>
    expectError(["run", "--root", root, "no-such-program"], 127, /no-such-program: .*(no such|not found)/i));

  it("that is no file of the host either exits with 127", () =>
    expectError(["run", "./no-such-program"], 127, /no-such-program: .*(no such|not found)/i));

  it("with a working directory that is not there exits with 125", async () => {
    const outcome = await run("run", "--root", root, "--cwd", "/nowhere", "/bin/true");
    expect(outcome.stderr.toString()).toMatch(/^osv-vm: .*\/nowhere: .*\n$/);
    expect(outcome.status).toBe(125);
  });

  describeWith([missingCompiler("glibc"), missingTool("gcc")], "compiled here", () => {
    const compileTo = (name: string, text: string, ...flags: string[]) => {
      const source = join(root, `${name}.c`);
      writeFileSync(source, text);
      copyFileSync(compile(source, "glibc", flags), join(root, "bin", name));
    };

    it("that needs an interpreter which is not in the root exits with 127", async () => {
      const source = join(root, "dynamic.c");
      writeFileSync(source, "int main(void) { return 0; }\n");
      execFileSync("gcc", ["-o", join(root, "bin/dynamic"), source]);
      await expectError(
        ["run", "--root", root, "/bin/dynamic"],
        127,
        /dynamic: .*\/lib64\/ld-linux-x86-64\.so\.2/,
      );
    });

    it("that is too big for the memory exits with 126 and says how much it needs", async () => {
      compileTo(
        "big",
        "static volatile char a[200 << 20] = {1};\nint main(void) { return a[1]; }\n",
        "-mcmodel=medium",
      );
      await expectError(["run", "--root", root, "--memory", "64M", "/bin/big"], 126, /big: .*--memory/);
    });

    it("that asks for more memory than there is gets ENOMEM", async () => {
      compileTo(
        "greedy",
        "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <errno.h>\n" +
          "int main(void) { for (int i = 0; i < 1000; i++) { char *p = malloc(1 << 20); if (!p) " +
          '{ printf("%s\\n", strerror(errno)); return i > 10 ? 3 : 4; } memset(p, 1, 1 << 20); } return 0; }\n',
      );
      const outcome = await run("run", "--root", root, "--memory", "64M", "/bin/greedy");
      expect(outcome.stdout.toString()).toBe("Cannot allocate memory\n");
      expect(outcome.status).toBe(3);
    });

    it.each([
      ["illegal", "__builtin_trap();", 132],
      ["null", "*(volatile int *)0 = 1;", 139],
      ["jump", "((void (*)(void))0x123456789)();", 139],
      ["noncanonical", "*(volatile char *)0x8000000000000000 = 1;", 139],
      ["divide", "volatile int seven = 7, zero = 0; return seven / zero;", 136],
      ["abort", "__builtin_abort();", 134],
      ["stack", "extern int main(void); volatile char a[1 << 20]; a[0] = 1; return main() + a[0];", 139],
    ])("that dies of a fault (%s) exits with 128 + the signal, as on Linux", async (name, body, status) => {
      compileTo(name, `int main(void) { ${body} return 0; }\n`, "-O0", "-Wno-error");
      const outcome = await run("run", "--root", root, `/bin/${name}`);
      expect(outcome.status).toBe(status);
      const verbose = await run("run", "--verbose", "--root", root, `/bin/${name}`);
      const report = verbose.stderr.toString();
      expect(report).toMatch(/^RAX [0-9a-f]{16} {2}RCX [0-9a-f]{16}/m);
      expect(report).toMatch(/^RIP [0-9a-f]{16}/m);
      if (name === "jump") expect(report).toContain("no code at RIP");
      else expect(report).toMatch(/^ {3} *[0-9a-f]+:\t.*\n=> *[0-9a-f]+:\t[0-9a-f ]+\t\w+/m);
      expect(report).toMatch(new RegExp(`^[0-9a-f]{8,}-[0-9a-f]{8,} r-xp .*/bin/${name}$`, "m"));
      expect(report).toMatch(/ rw-p .*\[stack\]$/m);
    });
  });
});
