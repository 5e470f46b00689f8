/** The DSDT: what is on the board that cannot be found by asking it (ACPI 6.3, chapters 6 and 7.4). */

import { FW_CFG_PORT } from "../fw-cfg.ts";
import { HPET_BASE, HPET_LENGTH } from "../hpet.ts";
import { RTC_PORT } from "../mc146818.ts";
import { PVPANIC_PORT } from "../pvpanic.ts";
import { COM1, COM2 } from "../uart16550.ts";
import * as aml from "./aml.ts";
import { SLEEP_TYPE_S5 } from "./power-management.ts";
import { acpiTable } from "./table.ts";
import type { AcpiBoard } from "./tables.ts";

/** _STA: present, enabled, shown, working. */
const PRESENT = 0xf;

/** `_S5`: SLP_TYPa and SLP_TYPb. */
function sleepStates(): aml.Aml {
  const type = aml.integer(SLEEP_TYPE_S5);
  return aml.name("_S5", aml.packageOf(type, type, aml.integer(0), aml.integer(0)));
}

function processor(index: number): aml.Aml {
  return aml.device(
    `C${index.toString(16).toUpperCase().padStart(3, "0")}`,
    aml.name("_HID", aml.text("ACPI0007")),
    aml.name("_UID", aml.integer(index)),
  );
}

/** INTA# of every slot: address, pin, no link device, the interrupt (6.2.13). */
function routes(interrupts: readonly number[]): aml.Aml {
  const entries = Array.from({ length: 32 }, (_, slot) =>
    aml.packageOf(
      aml.integer(slot * 0x10000 + 0xffff),
      aml.integer(0),
      aml.integer(0),
      aml.integer(interrupts[slot % interrupts.length]),
    ),
  );
  return aml.name("_PRT", aml.packageOf(...entries));
}

function pciRoot(board: AcpiBoard): aml.Aml {
  const { pci } = board;
  return aml.device(
    "PCI0",
    aml.name("_HID", aml.eisaId("PNP0A08")),
    aml.name("_CID", aml.eisaId("PNP0A03")),
    aml.name("_UID", aml.integer(0)),
    aml.name("_SEG", aml.integer(0)),
    aml.name("_BBN", aml.integer(0)),
    aml.name(
      "_CRS",
      aml.resources(
        aml.busWindow(0, 0),
        aml.ioPorts(0xcf8, 8),
        aml.portWindow(0, 0xcf7),
        aml.portWindow(0xd00, 0xffff),
        aml.memoryWindow(0xa0000, 0xbffff, true),
        aml.memoryWindow(pci.memory.start, pci.memory.end - 1),
      ),
    ),
    routes(pci.interrupts.map(({ irq }) => irq)),
  );
}

/** A device at ISA addresses. */
function isaDevice(path: string, hid: aml.Aml, uid: number | undefined, ...descriptors: aml.Aml[]): aml.Aml {
  return aml.device(
    path,
    aml.name("_HID", hid),
    ...(uid === undefined ? [] : [aml.name("_UID", aml.integer(uid))]),
    aml.name("_STA", aml.integer(PRESENT)),
    aml.name("_CRS", aml.resources(...descriptors)),
  );
}

function serialPort(path: string, uid: number, { port, irq }: { port: number; irq: number }): aml.Aml {
  return isaDevice(path, aml.eisaId("PNP0501"), uid, aml.ioPorts(port, 8), aml.irq(irq));
}

export function dsdt(board: AcpiBoard): Uint8Array {
  const ecamLength = 0x100000; // one bus
  const devices = [
    ...Array.from({ length: board.processors }, (_, index) => processor(index)),
    pciRoot(board),
    // What PCI0 must not give away: ECAM and the ACPI registers.
    isaDevice(
      "MBRD",
      aml.eisaId("PNP0C02"),
      undefined,
      aml.memory32(board.pci.ecam, ecamLength),
      aml.ioPorts(board.powerManagementPort, 12),
    ),
    isaDevice("RTC", aml.eisaId("PNP0B00"), undefined, aml.ioPorts(RTC_PORT, 2), aml.irq(8)),
    isaDevice("PIT", aml.eisaId("PNP0100"), undefined, aml.ioPorts(0x40, 4), aml.irq(0)),
    isaDevice(
      "KBD",
      aml.eisaId("PNP0303"),
      undefined,
      aml.ioPorts(0x60, 1),
      aml.ioPorts(0x64, 1),
      aml.irq(1),
    ),
    isaDevice("HPET", aml.eisaId("PNP0103"), undefined, aml.memory32(HPET_BASE, HPET_LENGTH)),
    serialPort("COM1", 1, COM1),
    ...(board.secondSerialPort ? [serialPort("COM2", 2, COM2)] : []),
    isaDevice("FWCF", aml.text("QEMU0002"), undefined, aml.ioPorts(FW_CFG_PORT, 12)),
    isaDevice("PVPN", aml.text("QEMU0001"), undefined, aml.ioPorts(PVPANIC_PORT, 1)),
  ];
  return acpiTable("DSDT", 2, (writer) => {
    writer.raw(sleepStates());
    writer.raw(aml.scope("_SB", ...devices));
  });
}
