/** What power-on leaves for programs: vectors, data area, interrupt controllers, the timer. */

import type { Bus } from "../bus.ts";
import { Layout } from "../machine/memory-layout.ts";
import { COM1 } from "../uart16550.ts";
import { BDA_BYTES, BDA_START, Bda, type BiosMemory } from "./bios-memory.ts";
import { buildRom, buildVectors, ROM_START } from "./rom.ts";

/** The extended data area is the last KiB of conventional memory; its first byte is its size in KiB. */
const EBDA = 0x9fc00;
const CONVENTIONAL_KIB = EBDA / 1024;

/** Equipment word (40:10): FPU, colour 80x25, one serial port; bits 0 and 7…6 count diskettes. */
const EQUIPMENT = (1 << 1) | (2 << 4) | (1 << 9);

/** 8259: interrupt masks; IRQ 0, 1, 2 and, in the second, 8 are open. */
const [MASK_1, MASK_2] = [0x21, 0xa1];
const [OPEN_1, OPEN_2] = [0xf8, 0xfe];
/** 8254: channel 0, both bytes, mode 3, from 65,536 down. */
const [PIT_CHANNEL_0, PIT_COMMAND] = [0x40, 0x43];
const PIT_MODE_3 = 0x36;

/** Local APIC: the 8259's interrupts come in at LINT0, NMIs at LINT1 (SDM vol. 3, 11.5; MP specification 1.4, 3.6.2.2). */
const APIC_SPURIOUS = 0xf0;
const APIC_LINT0 = 0x350;
const APIC_LINT1 = 0x360;
const APIC_ENABLED = 0x1ff;
const EXTINT = 0x700;
const NMI = 0x400;

export interface Equipment {
  readonly hardDisks: number;
  readonly diskettes: number;
}

export function setUpMachine(memory: BiosMemory, bus: Bus, equipment: Equipment): void {
  placeRom(memory);
  memory.write(0, buildVectors());
  memory.write(BDA_START, new Uint8Array(BDA_BYTES));
  memory.putU16(Bda.COM1, COM1.port);
  memory.putU16(Bda.EBDA_SEGMENT, EBDA >> 4);
  memory.putU8(EBDA, 1);
  const diskettes = equipment.diskettes > 0 ? 1 | ((equipment.diskettes - 1) << 6) : 0;
  memory.putU16(Bda.EQUIPMENT, EQUIPMENT | diskettes);
  memory.putU16(Bda.MEMORY_KIB, CONVENTIONAL_KIB);
  const buffer = Bda.KEYBOARD_BUFFER - 0x400;
  memory.putU16(Bda.KEYBOARD_HEAD, buffer);
  memory.putU16(Bda.KEYBOARD_TAIL, buffer);
  memory.putU16(Bda.KEYBOARD_START, buffer);
  memory.putU16(Bda.KEYBOARD_END, buffer + 32);
  memory.putU8(Bda.KEYBOARD_MODE, 0x10); // a keyboard of 101 keys
  memory.putU8(Bda.HARD_DISKS, equipment.hardDisks);
  for (let port = 0; port < 4; port++) memory.putU8(Bda.COM_TIMEOUT + port, 1);
  startInterrupts(bus);
}

/** The ROM leaves what SMBIOS has in its first part. */
function placeRom(memory: BiosMemory): void {
  const rom = buildRom();
  const first = rom.findIndex((byte) => byte !== 0);
  memory.write(ROM_START + first, rom.subarray(first));
}

function startInterrupts(bus: Bus): void {
  bus.writePort(PIT_COMMAND, 1, PIT_MODE_3);
  bus.writePort(PIT_CHANNEL_0, 1, 0);
  bus.writePort(PIT_CHANNEL_0, 1, 0);
  bus.writePort(MASK_1, 1, OPEN_1);
  bus.writePort(MASK_2, 1, OPEN_2);
  bus.writeMemory(Layout.LOCAL_APIC + APIC_SPURIOUS, 4, APIC_ENABLED);
  bus.writeMemory(Layout.LOCAL_APIC + APIC_LINT0, 4, EXTINT);
  bus.writeMemory(Layout.LOCAL_APIC + APIC_LINT1, 4, NMI);
}
