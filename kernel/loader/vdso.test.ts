import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildVdso } from "./vdso.ts";

const file = join(mkdtempSync(join(tmpdir(), "vdso-")), "vdso.so");
writeFileSync(file, buildVdso());

describe("the vDSO", () => {
  it("is one page", () => {
    expect(buildVdso().length).toBe(4096);
  });

  it("exports the functions that C libraries look for, with their version", () => {
    const symbols = execFileSync("readelf", ["-W", "-D", "-s", file], { encoding: "utf8" });
    for (const name of ["clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres"]) {
      expect(symbols).toMatch(new RegExp(`FUNC +GLOBAL +DEFAULT +\\d+ __vdso_${name}@@LINUX_2.6`));
    }
    const dynamic = execFileSync("readelf", ["-W", "-d", file], { encoding: "utf8", stdio: "pipe" });
    expect(dynamic).toContain("linux-vdso.so.1");
    expect(dynamic).toContain("(VERDEF)");
  });

  it("is loaded by the host's dynamic loader, and its functions work", () => {
    const source = `
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <stdio.h>
      #include <time.h>
      int main(int count, char **arguments) {
        void *object = dlopen(arguments[1], RTLD_NOW);
        if (object == NULL) return puts(dlerror()), 1;
        int (*gettime)(int, struct timespec *) = dlvsym(object, "__vdso_clock_gettime", "LINUX_2.6");
        if (gettime == NULL) return puts(dlerror()), 2;
        struct timespec ours, theirs;
        clock_gettime(CLOCK_REALTIME, &theirs);
        if (gettime(CLOCK_REALTIME, &ours) != 0) return 3;
        return ours.tv_sec - theirs.tv_sec > 1;
      }`;
    const program = `${file}.test`;
    execFileSync("gcc", ["-x", "c", "-", "-o", program], { input: source });
    expect(execFileSync(program, [file], { encoding: "utf8" })).toBe("");
  });
});
