import { describe, expect, it } from "vitest";
import { buildAcpiTables } from "../acpi/tables.ts";
import { UNCONNECTED } from "../interrupt-line.ts";
import { acpiFiles } from "./firmware-tables.ts";

const BOARD = {
  processors: 1,
  localApicBase: 0xfee00000,
  ioApicBase: 0xfec00000,
  pci: {
    ecam: 0xe0000000,
    memory: { start: 0xf0000000, end: 0xfec00000 },
    io: { start: 0xc000, end: 0x10000 },
    interrupts: [{ irq: 10, line: UNCONNECTED }],
  },
  powerManagementPort: 0x600,
  sciIrq: 9,
  secondSerialPort: false,
};

describe("the table loader's commands", () => {
  it("make of the files, wherever they are put, the tables that are built for that place", () => {
    const files = new Map(acpiFiles(buildAcpiTables(BOARD, 0)).map(([name, bytes]) => [name, bytes.slice()]));
    const places = new Map([
      ["etc/acpi/tables", 0x7ff0000],
      ["etc/acpi/rsdp", 0xf5000],
    ]);
    const script = files.get("etc/table-loader") ?? new Uint8Array();
    const view = new DataView(script.buffer);
    const name = (at: number) => String.fromCharCode(...script.subarray(at, at + 56)).replace(/\0.*/s, "");
    for (let at = 0; at < script.length; at += 128) {
      const file = files.get(name(at + 4)) ?? new Uint8Array();
      const target = new DataView(file.buffer);
      switch (view.getUint32(at, true)) {
        case 2: {
          const offset = view.getUint32(at + 116, true);
          const base = places.get(name(at + 60)) ?? 0;
          if (script[at + 120] === 8)
            target.setBigUint64(offset, target.getBigUint64(offset, true) + BigInt(base), true);
          else target.setUint32(offset, target.getUint32(offset, true) + base, true);
          break;
        }
        case 3: {
          const [offset, start, length] = [60, 64, 68].map((field) => view.getUint32(at + field, true));
          const sum = file.subarray(start, start + length).reduce((total, byte) => total + byte, 0);
          file[offset] -= sum;
          break;
        }
      }
    }
    const there = buildAcpiTables(BOARD, 0x7ff0000);
    const end = there.rsdpAddress - 0x7ff0000;
    expect(files.get("etc/acpi/tables")).toEqual(there.bytes.slice(0, end));
    expect(files.get("etc/acpi/rsdp")).toEqual(there.bytes.slice(end, end + 36));
  });
});
