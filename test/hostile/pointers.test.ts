/** Hostile pointers in system calls: what the host answers to them, osv-vm answers too. */

import { join } from "node:path";
import { expect, it } from "vitest";
import { SYSCALL_TABLE } from "../../kernel/syscalls/table.ts";
import { REPOSITORY } from "../../scripts/repository.ts";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { OSV_VM_RUN } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingTool } from "../harness/requirements.ts";
import { DIFFERENCES, hostileCalls, NOT_TRIED, pointersNotTried } from "./pointer-calls.ts";

/** Away from the host's own mounts and names; root, as programs are on osv-vm. */
const ON_HOST =
  process.getuid?.() === 0
    ? ["unshare", "--mount", "--uts", "--ipc"]
    : ["unshare", "--user", "--map-root-user", "--mount", "--uts", "--ipc"];

describeWith([missingCompiler("glibc"), missingTool("unshare", "util-linux")], "hostile pointers", () => {
  it("are tried in every system call with pointers, or there is a reason not to", () => {
    const missing = SYSCALL_TABLE.filter(({ call }) => call !== undefined).flatMap(pointersNotTried);
    expect(missing.filter((pointer) => NOT_TRIED[pointer] === undefined)).toEqual([]);
    expect(Object.keys(NOT_TRIED).filter((pointer) => !missing.includes(pointer))).toEqual([]);
  });

  it("get the answers that they get on the host", async () => {
    const calls = hostileCalls(new Map(SYSCALL_TABLE.map(({ name, number }) => [name, number])));
    const program = compile(join(REPOSITORY, "test/hostile/programs/pointers.c"), "glibc");
    const input = `${calls.join("\n")}\n`;
    const [host, ours] = await Promise.all([
      runProcess([...ON_HOST, program], { input }),
      runProcess([...OSV_VM_RUN, program], { input }),
    ]);
    const answers = ({ stdout }: { stdout: Buffer }) =>
      stdout
        .toString()
        .split("\n")
        .filter((line) => !DIFFERENCES.some(({ calls: ours }) => ours.test(line)));
    expect(ours.stderr.toString()).toBe("");
    expect([ours.status, host.status]).toEqual([0, 0]);
    const theirs = answers(host);
    expect(answers(ours)).toEqual(theirs);
    // The test is about refusals: most of these calls must be refused, and with EFAULT.
    expect(theirs.filter((line) => line.endsWith(": EFAULT")).length).toBeGreaterThan(calls.length * 0.75);
  });
});
