import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildSmbios } from "./smbios.ts";

const ADDRESS = 0xf0000;
const { bytes } = buildSmbios(ADDRESS, 512 << 20, "1.2.3");

describe("SMBIOS", () => {
  it("has an entry point whose checksum is right", () => {
    expect(String.fromCharCode(...bytes.subarray(0, 5))).toBe("_SM3_");
    expect(bytes.subarray(0, 24).reduce((sum, byte) => sum + byte, 0) & 0xff).toBe(0);
  });

  const hasDmidecode = spawnSync("dmidecode", ["--version"]).error === undefined;
  it.runIf(hasDmidecode || process.env.CI === "true")("is read by dmidecode without a complaint", () => {
    const folder = mkdtempSync(join(tmpdir(), "osv-vm-smbios-"));
    try {
      // A dump as dmidecode writes them: the entry point first, its table address changed to 32.
      const dump = new Uint8Array(32 + bytes.length - 24);
      dump.set(bytes.subarray(0, 24));
      const view = new DataView(dump.buffer);
      view.setBigUint64(16, 32n, true);
      dump[5] = 0;
      dump[5] = -dump.subarray(0, 24).reduce((sum, byte) => sum + byte, 0) & 0xff;
      dump.set(bytes.subarray(24), 32);
      const file = join(folder, "dump");
      writeFileSync(file, dump);
      const text = execFileSync("dmidecode", ["--from-dump", file], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
      expect(text).toContain("Product Name: osv-vm PC");
      expect(text).toContain("Maximum Capacity: 512 MB");
      expect(text).toContain("Size: 512 MB");
      expect(text).toContain("System is a virtual machine");
      expect(text).toContain("End Of Table");
      expect(text).not.toMatch(/bad|broken|out of spec|truncated|TABLE IS/i);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
