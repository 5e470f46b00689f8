/** Signals land in loops that are compiled: the handler sees the registers of the very instruction, and the loop goes on. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { isStandIn, OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith } from "../harness/requirements.ts";

/**
 * In the loop R13 is three times R12, but for between two instructions; what is stored lags behind. The handler checks that
 * at each address, and the program ends when it has been caught in the loop often enough.
 */
const SOURCE = `
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile long stored, caught, wrong;
extern char head[], tripled[], counted[], kept[], tail[];

static void handler(int signal, siginfo_t *info, void *context) {
  (void)signal; (void)info;
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  char *rip = (char *)r[REG_RIP];
  if (rip < head || rip >= tail) return;
  long n = r[REG_R12], triple = r[REG_R13];
  long expected = rip == tripled ? 3 * n + 3 : 3 * n;
  long kept_expected = rip == tripled ? triple - 3 : rip == counted ? triple - 3 : triple;
  caught++;
  if (triple != expected || stored != kept_expected || r[REG_RBX] != 0x1234567) wrong++;
}

int main(void) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGALRM, &action, 0);
  struct itimerval every = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &every, 0);
  long n = 0, triple = 0, bad_ends = 0;
  for (int round = 0; round < 100000 && caught < 30; round++) {
    stored = 0;
    __asm__ volatile(
        "xor %%r12d, %%r12d\\n xor %%r13d, %%r13d\\n mov $0x1234567, %%ebx\\n"
        "head: add $3, %%r13\\n"
        "tripled: inc %%r12\\n"
        "counted: mov %%r13, %2\\n"
        "kept: cmp $200000, %%r12\\n"
        "jb head\\n"
        "tail: mov %%r12, %0\\n mov %%r13, %1\\n"
        : "=m"(n), "=m"(triple), "=m"(stored) : : "rbx", "r12", "r13", "cc", "memory");
    if (n != 200000 || triple != 600000) bad_ends++;
  }
  printf("caught %s, wrong %ld, bad ends %ld\\n", caught >= 30 ? "often" : "seldom", wrong, bad_ends);
  return 0;
}
`;

const notStandIn = isStandIn ? "OSV_VM_COMMAND stands in for osv-vm" : undefined;

describeWith([missingCompiler("glibc"), notStandIn], "signals in loops", () => {
  let folder = "";
  let program = "";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "osv-vm-"));
    const source = join(folder, "signals.c");
    writeFileSync(source, SOURCE);
    program = compile(source, "glibc", ["-static", "-O1"]);
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ["interp", ""],
    ["jit", ""],
    ["jit", "1,1,1,0"],
    ["jit", "1,1,1,1000000"],
    ["check=interp,jit", "10,20,4,0"],
  ])("find every register right with --engine %s %s, as on the host", async (engine, thresholds) => {
    const host = await runProcess([program]);
    expect(host.stdout.toString()).toBe("caught often, wrong 0, bad ends 0\n");
    const options = ["--engine", engine, ...(thresholds === "" ? [] : ["--jit-thresholds", thresholds])];
    const ours = await runProcess([...OSV_VM, "run", ...options, program], { timeout: 120_000 });
    expect(ours.stderr.toString()).toBe("");
    expect(ours.stdout.toString()).toBe(host.stdout.toString());
    expect(ours.status).toBe(0);
  });
});
