/** The programs of the built-in image. */

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { DIST } from "../../scripts/repository.ts";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { isStandIn, OSV_VM_RUN } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith } from "../harness/requirements.ts";

const missingGuests = existsSync(join(DIST, "guests/hello"))
  ? undefined
  : "the image was built without a C compiler (Debian: apt-get install gcc musl-tools, then npm run build)";
const notStandIn = isStandIn ? "OSV_VM_COMMAND stands in for osv-vm" : undefined;

const run = (...parameters: string[]) => runProcess([...OSV_VM_RUN, ...parameters], { timeout: 120_000 });

/** The same program on the host. */
const onHost = (name: string, ...parameters: string[]) =>
  runProcess([join(DIST, "guests", name), ...parameters]);

describeWith([missingGuests, notStandIn], "in the built-in image", () => {
  it("hello says hello", async () => {
    const { stdout, stderr, status } = await run("hello");
    expect(stderr.toString()).toBe("");
    expect(stdout.toString()).toBe("Hello, world, from Linux on x86_64!\n");
    expect(status).toBe(0);
  });

  it.each(["hello", "life", "mandelbrot", "primes", "syscall-latency", "sysinfo", "thread-churn"])(
    "%s --help prints the same as on the host",
    async (name) => {
      const ours = await run(name, "--help");
      expect(ours.stdout.toString()).toBe((await onHost(name, "--help")).stdout.toString());
      expect(ours.status).toBe(0);
    },
  );

  it("mandelbrot draws the same picture as on the host", async () => {
    const parameters = ["-c", "60", "-r", "20"];
    const ours = await run("mandelbrot", ...parameters);
    expect(ours.stdout.equals((await onHost("mandelbrot", ...parameters)).stdout)).toBe(true);
  });

  it("life plays the same game as on the host", async () => {
    const parameters = ["-n", "20", "-d", "1"];
    const ours = await run("life", ...parameters);
    expect(ours.stdout.equals((await onHost("life", ...parameters)).stdout)).toBe(true);
  });

  it("primes counts on eight threads", async () => {
    const { stdout, status } = await run("primes", "1000000", "8");
    expect(stdout.toString()).toBe("78498 primes up to 1000000\n");
    expect(status).toBe(0);
  });

  it.each(["interp", "jit", "js", "check=interp,jit"])(
    "engine %s runs with the state, the TLB and the records above 2 GiB, where offsets are negative as i32",
    async (engine) => {
      const { stdout, status } = await run("--memory", "3G", "--engine", engine, "primes", "100000", "2");
      expect(stdout.toString()).toBe("9592 primes up to 100000\n");
      expect(status).toBe(0);
    },
  );

  it("thread-churn makes ten thousand threads, and nothing is left of them", async () => {
    // What a thread leaves behind in guest memory ends this one early; what it leaves in ours shows in the peak.
    const { stdout, stderr, status } = await run("--memory", "24M", "--stats", "thread-churn", "10000");
    expect(stdout.toString()).toBe("10000 threads\n");
    expect(status).toBe(0);
    const peak = /^peak memory +(\d+) MiB$/m.exec(stderr.toString());
    expect(Number(peak?.[1])).toBeLessThan(process.env.OSV_VM_OPTIONS === undefined ? 150 : 300); // two engines in lockstep have two of everything
  });

  it("sysinfo tells about the machine it was given", async () => {
    const { stdout } = await run("--memory", "256M", "sysinfo");
    expect(stdout.toString()).toMatch(/^System {5}Linux \d.* x86_64$/m);
    expect(stdout.toString()).toMatch(/^Memory {5}25\d MiB, \d+ MiB free$/m);
    expect(stdout.toString()).toMatch(/^Features .* sse4\.2 /m);
  });

  it("with --deterministic every run is the same, to the instruction", async () => {
    const program = ["--deterministic", "--stats", "--trace", "syscalls", "primes", "300000", "4"];
    const runs = [];
    for (let round = 0; round < 3; round++) {
      const { stdout, stderr } = await runProcess([...OSV_VM_RUN, ...program], { timeout: 120_000 });
      const [trace] = stderr.toString().split(/^time /m);
      runs.push(`${stdout}${trace}`);
    }
    expect(runs[0]).toMatch(/^instructions +[\d,]{5,}$/m);
    expect(runs[0]).toMatch(/clone/);
    expect(new Set(runs).size).toBe(1);
  });

  it("syscall-latency measures", async () => {
    const { stdout, status } = await run("syscall-latency", "1000");
    expect(stdout.toString()).toMatch(/^getppid +\d+\.\d ns$/m);
    expect(status).toBe(0);
  });
});

describeWith([missingCompiler("glibc"), notStandIn], "without --root, a program of the host", () => {
  it("runs, and its exit status is ours", async () => {
    const folder = mkdtempSync(join(tmpdir(), "osv-vm-"));
    try {
      const source = join(folder, "status.c");
      writeFileSync(source, "int main(int argc, char **argv) { (void)argv; return argc + 40; }\n");
      const program = compile(source, "glibc");
      expect((await run(program, "one")).status).toBe(42);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
