/**
 * The C programs guests/conformance*, static with glibc and with musl: each exercises a part of the Linux ABI (threads,
 * signals, setjmp, long double, fenv, timers …) and prints what it found, which must be what it finds on the host.
 * Those named *-pie.c are linked as static-PIE: they start themselves again.
 */

import { copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { REPOSITORY } from "../../scripts/repository.ts";
import { expectSameAsHost } from "../harness/compare.ts";
import { compile, missingCompiler } from "../harness/compiler.ts";
import { describeWith } from "../harness/requirements.ts";
import { missingBusybox } from "../harness/root.ts";

const sources = readdirSync(join(REPOSITORY, "guests"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.startsWith("conformance") && path.endsWith(".c"))
  .sort();

for (const libc of ["glibc", "musl"] as const) {
  describeWith([missingBusybox(), missingCompiler(libc)], `with ${libc},`, () => {
    it("there are programs", () => expect(sources.length).toBeGreaterThan(0));

    // Debian's musl-gcc links no static-PIE programs.
    const linkable = sources.filter((source) => libc === "glibc" || !source.endsWith("-pie.c"));

    it.each(linkable)("%s prints what it prints on the host", async (source) => {
      const flags = source.endsWith("-pie.c") ? ["-static-pie"] : [];
      const program = compile(join(REPOSITORY, "guests", source), libc, flags);
      await expectSameAsHost(["/bin/program"], {
        prepare: (root) => copyFileSync(program, join(root, "bin/program")),
      });
    });
  });
}
