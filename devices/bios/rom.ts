/**
 * What a guest finds in segment F000H: entry points that call the services in TypeScript, and the tables that software
 * looks for at fixed places. Addresses are those of IBM's ROMs where programs rely on them (Phoenix, "System BIOS",
 * 2nd edition, appendix "Entry points").
 */

export const ROM_SEGMENT = 0xf000;
export const ROM_START = 0xf0000;
const ROM_BYTES = 0x10000;
/** Below this, SMBIOS has its structures. */
const ENTRIES = 0xe000;

/**
 * An OUT to this port calls the service whose entry point the instruction belongs to. Nothing else answers there in a PC;
 * from anywhere but the ROM it does nothing.
 */
export const BIOS_CALL_PORT = 0xbf;

/** What an entry point asks for. "IRQ…" acknowledge their interrupts themselves. */
export type BiosService =
  | "power-on"
  | "video"
  | "equipment"
  | "memory-size"
  | "disk"
  | "serial"
  | "system"
  | "system-wait"
  | "keyboard"
  | "printer"
  | "no-boot-device"
  | "bootstrap"
  | "time"
  | "timer-tick"
  | "keyboard-interrupt";

const CALL = [0xe6, BIOS_CALL_PORT]; // out BIOS_CALL_PORT, al
const IRET = [0xcf];
/** push ax; mov al, 20h; out 20h, al; pop ax: end of interrupt of the first 8259. */
const END_OF_INTERRUPT = [0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58];
/** The same, of the second and then of the first. */
const END_OF_INTERRUPT_2 = [0x50, 0xb0, 0x20, 0xe6, 0xa0, 0xe6, 0x20, 0x58];
/** sti; hlt; then back to the call before it, which is `back` bytes before the end of the jump. */
const wait = (back: number) => [0xfb, 0xf4, 0xeb, -back & 0xff];

interface Entry {
  readonly offset: number;
  readonly code: readonly number[];
  readonly service?: BiosService;
}

/** A service that may wait: OUT, IRET, then the loop that {@link BiosRom.waitAddress} names. */
const WAITABLE = [...CALL, ...IRET, ...wait(7)];
const INT_1C = [0xcd, 0x1c];

const ENTRY_POINTS = {
  powerOn: { offset: 0xe05b, code: [...CALL, 0xf4, 0xeb, 0xfd], service: "power-on" },
  noBootDevice: { offset: 0xe100, code: [...CALL, 0xf4, 0xeb, 0xfd], service: "no-boot-device" },
  systemWait: { offset: 0xe120, code: WAITABLE, service: "system-wait" },
  irq: { offset: 0xe140, code: [...END_OF_INTERRUPT, ...IRET] },
  irq2: { offset: 0xe150, code: [...END_OF_INTERRUPT_2, ...IRET] },
  /** IRQ 8: reading register C of the RTC lets it interrupt again. */
  rtc: {
    offset: 0xe160,
    code: [0x50, 0xb0, 0x0c, 0xe6, 0x70, 0xe4, 0x71, 0x58, ...END_OF_INTERRUPT_2, ...IRET],
  },
  bootstrap: { offset: 0xe6f2, code: [0xeb, 0x0d] }, // over the configuration table
  bootstrapCall: { offset: 0xe701, code: [...CALL, 0xf4, 0xeb, 0xfd], service: "bootstrap" },
  serial: { offset: 0xe739, code: [...CALL, ...IRET], service: "serial" },
  keyboard: { offset: 0xe82e, code: WAITABLE, service: "keyboard" },
  keyboardInterrupt: {
    offset: 0xe987,
    code: [...CALL, ...END_OF_INTERRUPT, ...IRET],
    service: "keyboard-interrupt",
  },
  disk: { offset: 0xec59, code: [...CALL, ...IRET], service: "disk" },
  printer: { offset: 0xefd2, code: [...CALL, ...IRET], service: "printer" },
  video: { offset: 0xf065, code: [...CALL, ...IRET], service: "video" },
  memorySize: { offset: 0xf841, code: [...CALL, ...IRET], service: "memory-size" },
  equipment: { offset: 0xf84d, code: [...CALL, ...IRET], service: "equipment" },
  system: { offset: 0xf859, code: [...CALL, ...IRET], service: "system" },
  time: { offset: 0xfe6e, code: [...CALL, ...IRET], service: "time" },
  timerTick: {
    offset: 0xfea5,
    code: [...CALL, ...INT_1C, ...END_OF_INTERRUPT, ...IRET],
    service: "timer-tick",
  },
  dummy: { offset: 0xff53, code: IRET },
  reset: { offset: 0xfff0, code: [0xea, 0x5b, 0xe0, 0x00, 0xf0] }, // jmp far F000:E05B
} as const satisfies Record<string, Entry>;

/** Tables at fixed places. */
const CONFIGURATION_TABLE = 0xe6f5;
const DISKETTE_PARAMETERS = 0xefc7;
const DATE = 0xfff5;
const MODEL = 0xfffe;

/** What INT 15h C0h points to: length, model FCH (AT), submodel, revision, features. */
const CONFIGURATION = [8, 0, 0xfc, 0x00, 0x00, 0x74, 0x40, 0x00, 0x00, 0x00];
/** Diskette parameters of a 1.44 MB drive (AT Technical Reference, "Disk_Base"); boot sectors copy them. */
const DISKETTE = [0xaf, 0x02, 0x25, 0x02, 0x12, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08];

/** Interrupt vectors that lead to their own entry points; the others to an IRET. */
const VECTORS: readonly (readonly [vector: number, entry: keyof typeof ENTRY_POINTS])[] = [
  [0x08, "timerTick"],
  [0x09, "keyboardInterrupt"],
  [0x0a, "irq"],
  [0x0b, "irq"],
  [0x0c, "irq"],
  [0x0d, "irq"],
  [0x0e, "irq"],
  [0x0f, "irq"],
  [0x10, "video"],
  [0x11, "equipment"],
  [0x12, "memorySize"],
  [0x13, "disk"],
  [0x14, "serial"],
  [0x15, "system"],
  [0x16, "keyboard"],
  [0x17, "printer"],
  [0x18, "noBootDevice"],
  [0x19, "bootstrap"],
  [0x1a, "time"],
  [0x40, "disk"],
  [0x42, "video"],
  [0x70, "rtc"],
  ...[0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77].map((vector) => [vector, "irq2"] as const),
];

const OUT_BYTES = CALL.length;

/** The ROM's bytes. */
export function buildRom(): Uint8Array {
  const rom = new Uint8Array(ROM_BYTES);
  rom.fill(0, 0, ENTRIES);
  for (const { offset, code } of Object.values(ENTRY_POINTS)) rom.set(code, offset);
  rom.set(CONFIGURATION, CONFIGURATION_TABLE);
  rom.set(DISKETTE, DISKETTE_PARAMETERS);
  rom.set(new TextEncoder().encode("01/01/25"), DATE);
  rom[MODEL] = 0xfc;
  return rom;
}

/** The interrupt vector table that power-on leaves. */
export function buildVectors(): Uint8Array {
  const table = new Uint8Array(0x400);
  const view = new DataView(table.buffer);
  const set = (vector: number, offset: number) =>
    view.setUint32(vector * 4, ROM_SEGMENT * 0x10000 + offset, true);
  for (let vector = 0; vector < 0x78; vector++) set(vector, ENTRY_POINTS.dummy.offset);
  for (const [vector, entry] of VECTORS) set(vector, ENTRY_POINTS[entry].offset);
  set(0x1e, DISKETTE_PARAMETERS);
  for (const vector of [0x1d, 0x1f, 0x41, 0x43, 0x46]) view.setUint32(vector * 4, 0, true); // tables that are not there
  // 60H…67H are for programs: empty.
  for (let vector = 0x60; vector < 0x68; vector++) view.setUint32(vector * 4, 0, true);
  return table;
}

export const CONFIGURATION_TABLE_OFFSET = CONFIGURATION_TABLE;
export const DISKETTE_PARAMETERS_OFFSET = DISKETTE_PARAMETERS;
export const SYSTEM_WAIT_OFFSET = ENTRY_POINTS.systemWait.offset;

const SERVICES = new Map<number, BiosService>(
  Object.values(ENTRY_POINTS).flatMap((entry) =>
    "service" in entry && entry.service !== undefined
      ? [[ROM_START + entry.offset + OUT_BYTES, entry.service] as const]
      : [],
  ),
);

/** The service that is called by the OUT before this address. */
export function serviceBefore(address: number): BiosService | undefined {
  return SERVICES.get(address);
}

/** From the address behind the OUT of a service that may wait to its loop: over the IRET. */
export const WAIT_DISTANCE = IRET.length;
