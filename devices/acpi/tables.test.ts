import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { UNCONNECTED } from "../interrupt-line.ts";
import { type AcpiBoard, buildAcpiTables } from "./tables.ts";

const BOARD: AcpiBoard = {
  processors: 2,
  localApicBase: 0xfee00000,
  ioApicBase: 0xfec00000,
  pci: {
    ecam: 0xe0000000,
    memory: { start: 0xf0000000, end: 0xfec00000 },
    io: { start: 0xc000, end: 0x10000 },
    interrupts: [
      { irq: 10, line: UNCONNECTED },
      { irq: 11, line: UNCONNECTED },
    ],
  },
  powerManagementPort: 0x600,
  sciIrq: 9,
  secondSerialPort: true,
};
const BASE = 0xe0000;
const image = buildAcpiTables(BOARD, BASE);

describe("ACPI tables", () => {
  it("sum to zero, each of them", () => {
    for (const [signature, bytes] of image.tables) {
      if (signature === "FACS") continue; // has no checksum
      expect(bytes.reduce((sum, byte) => sum + byte, 0) & 0xff, signature).toBe(0);
    }
  });

  it("are reached from the root pointer", () => {
    const view = new DataView(image.bytes.buffer);
    const at = image.rsdpAddress - BASE;
    const xsdt = Number(view.getBigUint64(at + 24, true)) - BASE;
    const signature = (address: number) => String.fromCharCode(...image.bytes.subarray(address, address + 4));
    expect(signature(xsdt)).toBe("XSDT");
    const entries = (view.getUint32(xsdt + 4, true) - 36) / 8;
    const found = Array.from({ length: entries }, (_, index) =>
      signature(Number(view.getBigUint64(xsdt + 36 + index * 8, true)) - BASE),
    );
    expect(found).toEqual(["FACP", "APIC", "MCFG", "HPET"]);
  });
});

/** Intel's own compiler reads what we have written. */
const hasIasl = spawnSync("iasl", ["-v"]).error === undefined;
describe.runIf(hasIasl || process.env.CI === "true")("iasl", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "osv-vm-acpi-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const disassemble = (signature: string): string => {
    writeFileSync(join(folder, `${signature}.aml`), image.tables.get(signature) ?? new Uint8Array());
    const output = execFileSync("iasl", ["-d", `${signature}.aml`], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    expect(output).not.toMatch(/error|warning/i);
    return readFileSync(join(folder, `${signature}.dsl`), "latin1");
  };

  it("disassembles every static table without a complaint", () => {
    for (const signature of ["FACP", "APIC", "MCFG", "HPET"]) {
      const text = disassemble(signature);
      expect(text, signature).toContain(`Signature : "${signature}"`);
      expect(text, signature).not.toMatch(/invalid|unknown|incorrect|\*\*\*\*/i);
    }
    expect(disassemble("FACP")).toMatch(/Reset Register[\s\S]*Address : 0000000000000CF9/);
    expect(disassemble("APIC")).toMatch(/Interrupt : 00000002/);
  });

  it("compiles the disassembled DSDT back to the same bytes without errors or warnings", () => {
    const source = disassemble("DSDT");
    expect(source).toContain('EisaId ("PNP0A08")');
    expect(source).toContain("Device (COM2)");
    const output = spawnSync("iasl", ["-p", "again", "DSDT.dsl"], { cwd: folder, encoding: "utf8" });
    expect(output.stdout + output.stderr).toMatch(/0 Errors, 0 Warnings/);
    const again = readFileSync(join(folder, "again.aml"));
    expect([...again.subarray(36)]).toEqual([...(image.tables.get("DSDT")?.subarray(36) ?? [])]);
  });
});
