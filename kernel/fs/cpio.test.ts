import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { CpioError, readCpio, unpackCpio } from "./cpio.ts";
import { RamFs } from "./ramfs.ts";

const clock = {
  monotonic: () => 0,
  realtime: () => ({ seconds: 0, nanoseconds: 0 }),
  after: () => () => undefined,
  yield: () => Promise.resolve(),
};

/** An archive made by busybox or GNU cpio, from a directory of three kinds of entries. */
const MAKE =
  'cd "$(mktemp -d)" && mkdir -p d/e && printf hello >d/file && ln -s file d/link && chmod 750 d/file && : >d/e/empty' +
  " && { find d | sort | cpio -o -H newc 2>/dev/null || find d | sort | busybox cpio -o -H newc; }";
const hasCpio = spawnSync("sh", ["-c", "command -v cpio || busybox cpio --help"]).status === 0;

describe.skipIf(!hasCpio)("cpio archives", () => {
  const archive = new Uint8Array(
    hasCpio ? execFileSync("sh", ["-c", MAKE], { stdio: ["ignore", "pipe", "ignore"] }) : [],
  );

  it("made by a real cpio are read", () => {
    const entries = [...readCpio(archive)].map(({ path, mode, contents }) => {
      return [path, mode.toString(8), new TextDecoder().decode(contents)];
    });
    expect(entries).toEqual([
      ["d", "40755", ""],
      ["d/e", "40755", ""],
      ["d/e/empty", "100644", ""],
      ["d/file", "100750", "hello"],
      ["d/link", "120777", "file"],
    ]);
  });

  it("are unpacked into a file system", () => {
    const fileSystem = new RamFs(clock);
    unpackCpio(archive, fileSystem.root);
    const directory = fileSystem.root.lookup("d");
    expect(directory?.lookup("file")?.stat()).toMatchObject({ mode: 0o100750, size: 5 });
    expect(directory?.lookup("link")?.readlink(undefined)).toBe("file");
    expect(
      directory
        ?.lookup("e")
        ?.readdir()
        .map(({ name }) => name),
    ).toEqual(["empty"]);
  });

  it("that are cut off anywhere are refused, never misread", () => {
    const whole = [...readCpio(archive)].length;
    for (let length = 0; length < archive.length; length += 7) {
      let count = 0;
      const read = () => {
        for (const _entry of readCpio(archive.subarray(0, length))) count++;
      };
      try {
        read();
        // Only the padding behind the trailer may be missing.
        expect(count).toBe(whole);
      } catch (error) {
        expect(error).toBeInstanceOf(CpioError);
      }
    }
  });

  it("with something else in a header are refused", () => {
    const broken = archive.slice();
    broken.set(new TextEncoder().encode("zz"), 20);
    expect(() => [...readCpio(broken)]).toThrow("hexadecimal");
    expect(() => [...readCpio(new TextEncoder().encode("x".repeat(200)))]).toThrow("no newc header");
  });
});
