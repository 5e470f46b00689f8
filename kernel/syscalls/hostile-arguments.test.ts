/** Whatever a program passes, file system calls give a result or an errno, and nothing else. */

import { describe, expect, it } from "vitest";
import { RamFs } from "../fs/ramfs.ts";
import { FlatMemory, Guest, TABLE, testClock } from "../fs/testing/guest.ts";
import { random } from "../fs/testing/scenario.ts";

/** Calls to make; more by hand: OSV_FUZZ_CALLS=1000000. */
const CALLS = Number(process.env.OSV_FUZZ_CALLS ?? 100_000);

describe("file system calls", () => {
  it("survive arguments that make no sense", async () => {
    const below = random(1);
    const names = [...TABLE.keys()];
    const { BASE } = FlatMemory;
    const numbers = [
      0,
      1,
      2,
      3,
      4,
      5,
      7,
      8,
      16,
      100,
      4095,
      4096,
      65536,
      -1,
      -2,
      -100,
      -4096,
      2 ** 31 - 1,
      2 ** 31,
      -(2 ** 31),
      2 ** 32 - 1,
      2 ** 32,
      2 ** 47 - 4096,
      2 ** 47,
      2 ** 53,
      -(2 ** 53),
      2 ** 62,
      2 ** 63,
      -(2 ** 63),
      0o100,
      0o101,
      0o102,
      0o2000,
      0o10000000,
      0o20200002,
      BASE,
      BASE + 1,
      BASE + 0x7ffc,
      BASE + 0x8000,
      BASE + 0x40000,
    ];
    const paths = [
      "a",
      "b",
      "c/d",
      ".",
      "..",
      "/",
      "a/..",
      "link",
      "/a/b/c",
      "n".repeat(256),
      "\udcff",
      "x/",
    ];
    let guest = new Guest(new RamFs(testClock, { capacity: 1 << 20 }));
    for (let i = 0; i < CALLS; i++) {
      // A fresh start now and then: locks and closed descriptors pile up.
      if (i % 500 === 0) {
        guest = new Guest(new RamFs(testClock, { capacity: 1 << 20 }));
        guest.mounts.fileSystemTypes.set("a", () => new RamFs(testClock));
        guest.now("mkdir", "/c", 0o755);
        guest.now("symlink", "c", "/link");
        for (const name of ["/a", "/b", "/c/d"]) guest.now("open", name, 0o102, 0o644);
        guest.now("open", "/c", 0);
      }
      const name = names[below(names.length)];
      const args = Array.from({ length: 6 }, () =>
        below(3) === 0
          ? paths[below(paths.length)]
          : below(2) === 0
            ? numbers[below(numbers.length)]
            : below(8),
      );
      const result = guest.call(name, ...args);
      // Calls that wait for ever (locks) are left alone.
      const value = result instanceof Promise ? await Promise.race([result, Promise.resolve(0)]) : result;
      if (!Number.isInteger(value) || value < -4095) expect.fail(`${name}(${args.join(", ")}) gave ${value}`);
    }
  });
});
