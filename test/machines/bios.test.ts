/**
 * Our BIOS beside SeaBIOS: a program in a boot sector calls services of both, on our machine, and prints what they return.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seabios } from "../harness/disk-image.ts";
import { OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingDebian, missingTool } from "../harness/requirements.ts";

type Register = "eax" | "ebx" | "ecx" | "edx" | "esi" | "edi";

interface Call {
  readonly name: string;
  readonly interrupt: number;
  readonly registers: Partial<Record<Register, number>>;
  /** Sent to the packet at DS:SI before the call. */
  readonly packet?: readonly number[];
  /** What both have to leave the same: registers, by default all; CF; ZF; the sum of the buffer's bytes. */
  readonly compare?: readonly (Register | "ah" | "al" | "cl" | "dl" | "bh" | "carry" | "zero" | "sum")[];
}

const BUFFER = 0x6000;
const PACKET = 0x5000;
const DISK = 0x80;
const DISK_BYTES = 32 * 2 ** 20;
const SECTORS = DISK_BYTES / 512;

const word = (value: number) => [value & 0xff, (value >> 8) & 0xff];
const packet = (sector: number, count: number, address = BUFFER) => [
  ...[16, 0, ...word(count), ...word(address), 0, 0],
  ...[...word(sector), ...word(sector >>> 16), 0, 0, 0, 0],
];
const STATUS = ["ah", "carry"] as const;
const READ = ["ah", "carry", "sum"] as const;

const CALLS: readonly Call[] = [
  {
    name: "disk parameters",
    interrupt: 0x13,
    registers: { eax: 0x0800, edx: DISK },
    compare: ["ah", "ecx", "edx", "carry"],
  },
  {
    name: "disk type",
    interrupt: 0x13,
    registers: { eax: 0x1500, edx: DISK },
    compare: ["ah", "ecx", "edx", "carry"],
  },
  {
    name: "extensions",
    interrupt: 0x13,
    registers: { eax: 0x4100, ebx: 0x55aa, edx: DISK },
    compare: ["ah", "ebx", "carry"],
  },
  {
    name: "first sector",
    interrupt: 0x13,
    registers: { eax: 0x0201, ecx: 0x0001, ebx: BUFFER, edx: DISK },
    compare: [...READ, "al"],
  },
  {
    name: "second track",
    interrupt: 0x13,
    registers: { eax: 0x0202, ecx: 0x0003, ebx: BUFFER, edx: 0x0100 | DISK },
    compare: [...READ, "al"],
  },
  {
    name: "a head that is not there",
    interrupt: 0x13,
    registers: { eax: 0x0201, ecx: 0x0001, ebx: BUFFER, edx: 0xfe00 | DISK },
    compare: STATUS,
  },
  { name: "status of that", interrupt: 0x13, registers: { eax: 0x0100, edx: DISK }, compare: STATUS },
  {
    name: "sector 0",
    interrupt: 0x13,
    registers: { eax: 0x0201, ecx: 0x0000, ebx: BUFFER, edx: DISK },
    compare: STATUS,
  },
  {
    name: "no sectors",
    interrupt: 0x13,
    registers: { eax: 0x0200, ecx: 0x0001, ebx: BUFFER, edx: DISK },
    compare: STATUS,
  },
  {
    name: "blocks",
    interrupt: 0x13,
    registers: { eax: 0x4200, esi: PACKET, edx: DISK },
    packet: packet(3, 2),
    compare: READ,
  },
  {
    name: "the last block",
    interrupt: 0x13,
    registers: { eax: 0x4200, esi: PACKET, edx: DISK },
    packet: packet(SECTORS - 1, 1),
    compare: READ,
  },
  {
    name: "behind the last block",
    interrupt: 0x13,
    registers: { eax: 0x4200, esi: PACKET, edx: DISK },
    packet: packet(SECTORS, 1),
    compare: STATUS,
  },
  {
    name: "a write",
    interrupt: 0x13,
    registers: { eax: 0x4300, esi: PACKET, edx: DISK },
    packet: packet(100, 1, 0x7c00),
    compare: STATUS,
  },
  {
    name: "what was written",
    interrupt: 0x13,
    registers: { eax: 0x4200, esi: PACKET, edx: DISK },
    packet: packet(100, 1),
    compare: READ,
  },
  {
    name: "a write by geometry",
    interrupt: 0x13,
    registers: { eax: 0x0301, ecx: 0x0005, ebx: 0x7c00, edx: 0x0200 | DISK },
    compare: STATUS,
  },
  {
    name: "what was written",
    interrupt: 0x13,
    registers: { eax: 0x0201, ecx: 0x0005, ebx: BUFFER, edx: 0x0200 | DISK },
    compare: READ,
  },
  {
    name: "verify",
    interrupt: 0x13,
    registers: { eax: 0x4400, esi: PACKET, edx: DISK },
    packet: packet(7, 1),
    compare: STATUS,
  },
  {
    name: "extended parameters",
    interrupt: 0x13,
    registers: { eax: 0x4800, esi: BUFFER, edx: DISK },
    packet: [],
    compare: STATUS,
  },
  { name: "reset", interrupt: 0x13, registers: { eax: 0x0000, edx: DISK }, compare: STATUS },
  {
    name: "a disk that is not there",
    interrupt: 0x13,
    registers: { eax: 0x0201, ecx: 1, ebx: BUFFER, edx: 0x81 },
    compare: STATUS,
  },
  {
    name: "extensions of a disk that is not there",
    interrupt: 0x13,
    registers: { eax: 0x4100, ebx: 0x55aa, edx: 0x81 },
    compare: STATUS,
  },
  {
    name: "a function that is not there",
    interrupt: 0x13,
    registers: { eax: 0x3f00, edx: DISK },
    compare: STATUS,
  },
  { name: "conventional memory", interrupt: 0x12, registers: {}, compare: ["eax"] },
  { name: "A20 on", interrupt: 0x15, registers: { eax: 0x2401 }, compare: STATUS },
  { name: "A20's state", interrupt: 0x15, registers: { eax: 0x2402 }, compare: ["eax", "carry"] },
  { name: "A20's switches", interrupt: 0x15, registers: { eax: 0x2403 }, compare: ["ah", "ebx", "carry"] },
  {
    name: "a wait of a millisecond",
    interrupt: 0x15,
    registers: { eax: 0x8600, ecx: 0, edx: 1000 },
    compare: ["carry"],
  },
  { name: "configuration", interrupt: 0x15, registers: { eax: 0xc000 }, compare: STATUS },
  { name: "keyboard intercept", interrupt: 0x15, registers: { eax: 0x4f1e }, compare: ["al", "carry"] },
  { name: "a function that is not there", interrupt: 0x15, registers: { eax: 0xbf00 }, compare: STATUS },
  {
    name: "memory map",
    interrupt: 0x15,
    registers: { eax: 0xe820, ebx: 0, ecx: 20, edx: 0x534d4150, edi: BUFFER },
    compare: ["eax", "ecx", "carry", "sum"],
  },
  {
    name: "memory map of nobody",
    interrupt: 0x15,
    registers: { eax: 0xe820, ebx: 0, ecx: 20, edx: 0, edi: BUFFER },
    compare: STATUS,
  },
  {
    name: "PCI BIOS",
    interrupt: 0x1a,
    registers: { eax: 0xb101 },
    compare: ["ah", "ebx", "cl", "edx", "carry"],
  },
  {
    name: "PCI device",
    interrupt: 0x1a,
    registers: { eax: 0xb102, ecx: 0x1001, edx: 0x1af4, esi: 0 },
    compare: ["ah", "ebx", "carry"],
  },
  {
    name: "second PCI device",
    interrupt: 0x1a,
    registers: { eax: 0xb102, ecx: 0x1001, edx: 0x1af4, esi: 1 },
    compare: STATUS,
  },
  {
    name: "PCI class",
    interrupt: 0x1a,
    registers: { eax: 0xb103, ecx: 0x010000, esi: 0 },
    compare: ["ah", "ebx", "carry"],
  },
  {
    name: "PCI register",
    interrupt: 0x1a,
    registers: { eax: 0xb10a, ebx: 8, edi: 0 },
    compare: ["ah", "ecx", "carry"],
  },
  {
    name: "PCI byte",
    interrupt: 0x1a,
    registers: { eax: 0xb108, ebx: 8, edi: 1, ecx: 0 },
    compare: ["ah", "ecx", "carry"],
  },
  { name: "no key", interrupt: 0x16, registers: { eax: 0x0100 }, compare: ["zero"] },
  { name: "a key is put", interrupt: 0x16, registers: { eax: 0x0500, ecx: 0x1e61 }, compare: ["al"] },
  { name: "a key", interrupt: 0x16, registers: { eax: 0x0100 }, compare: ["eax", "zero"] },
  { name: "the key", interrupt: 0x16, registers: { eax: 0x1000 }, compare: ["eax"] },
  { name: "shift keys", interrupt: 0x16, registers: { eax: 0x0200 }, compare: ["al"] },
  {
    name: "the cursor is moved",
    interrupt: 0x10,
    registers: { eax: 0x0200, ebx: 0, edx: 0x0509 },
    compare: [],
  },
  { name: "the cursor", interrupt: 0x10, registers: { eax: 0x0300, ebx: 0 }, compare: ["edx"] },
  { name: "a character", interrupt: 0x10, registers: { eax: 0x0e41, ebx: 7 }, compare: [] },
  { name: "the cursor behind it", interrupt: 0x10, registers: { eax: 0x0300, ebx: 0 }, compare: ["edx"] },
];

/** The call, and a line with what it left. */
function assemble({ interrupt, registers, packet: bytes }: Call): string {
  const fields = bytes ?? [];
  return [
    "call clear",
    ...(registers.esi === BUFFER ? [`mov word [${BUFFER}], 0x1a`] : []),
    ...fields.map((byte, index) => `mov byte [${PACKET + index}], ${byte}`),
    ...Object.entries({ eax: 0, ebx: 0, ecx: 0, edx: 0, esi: 0, edi: 0, ...registers }).map(
      ([register, value]) => `mov ${register}, ${value}`,
    ),
    `int ${interrupt}`,
    "call report",
  ].join("\n    ");
}

const SOURCE = `
%define LENGTH 20
bits 16
org 7c00h
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 7000h
    mov ax, 0200h + LENGTH
    mov bx, 7e00h
    mov cx, 2
    mov dx, 80h
    int 13h
    jmp start
    times 510-($-$$) db 0
    dw 0aa55h
start:
    ${CALLS.map(assemble).join("\n    ")}
    mov dx, 0f4h
    mov eax, 3
    out dx, eax
    hlt

; empties the buffer
clear:
    xor ax, ax
    mov es, ax ; some services return a segment in it
    mov di, ${BUFFER}
    mov cx, 512
    xor ax, ax
    rep stosw
    ret

; registers, carry, zero, the buffer's bytes added up
report:
    pushf
    cli                     ; SeaBIOS prints at ticks of the timer
    pushad
    mov si, sp
    mov eax, [si+28]
    call number
    mov eax, [si+16]
    call number
    mov eax, [si+24]
    call number
    mov eax, [si+20]
    call number
    mov eax, [si+32]
    and eax, 41h
    call number
    mov si, ${BUFFER}
    mov cx, 1024
    xor ebx, ebx
.sum:
    lodsb
    movzx eax, al
    rol ebx, 3
    add ebx, eax
    loop .sum
    mov eax, ebx
    call number
    mov al, 13
    out dx, al
    mov al, 10
    out dx, al
    popad
    popf
    ret

; EAX in hexadecimal and a space, to the serial port
number:
    mov dx, 3f8h
    mov cx, 8
.digit:
    rol eax, 4
    push eax
    and al, 0fh
    cmp al, 10
    sbb al, 69h
    das
    out dx, al
    pop eax
    loop .digit
    mov al, ' '
    out dx, al
    ret
    times (LENGTH+1)*512-($-$$) db 0x99
`;

interface Answer {
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
  readonly flags: number;
  readonly sum: number;
}

function pick(answer: Answer, name: NonNullable<Call["compare"]>[number]): number {
  switch (name) {
    case "ah":
      return (answer.eax >>> 8) & 0xff;
    case "al":
      return answer.eax & 0xff;
    case "cl":
      return answer.ecx & 0xff;
    case "dl":
      return answer.edx & 0xff;
    case "bh":
      return (answer.ebx >>> 8) & 0xff;
    case "carry":
      return answer.flags & 1;
    case "zero":
      return answer.flags & 0x40;
    case "esi":
    case "edi":
      return 0;
    default:
      return answer[name];
  }
}

describeWith([missingTool("nasm"), missingDebian()], "our BIOS", () => {
  let folder = "";
  let image = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "osv-vm-bios-"));
    image = join(folder, "bios.img");
    writeFileSync(join(folder, "bios.asm"), SOURCE);
    execFileSync("nasm", ["-f", "bin", "-o", image, join(folder, "bios.asm")], { stdio: "pipe" });
    truncateSync(image, DISK_BYTES);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const answers = async (...options: string[]): Promise<Answer[]> => {
    const exit = ["--device", "isa-debug-exit,iobase=0xf4,iosize=4"];
    const command = [...OSV_VM, "boot", "--disk", `${image},snapshot`, ...exit, ...options];
    const outcome = await runProcess(command, { timeout: 240_000 });
    expect(outcome.status).toBe(7);
    // SeaBIOS moves the terminal's cursor in between, by ESC sequences.
    const [first, ...rest] = outcome.stdout.toString("latin1").split("\u001b");
    const text = [first, ...rest.map((part) => part.replace(/^\[[\d;?]*[A-Za-z]/, ""))].join("");
    const lines = text.matchAll(/((?:[0-9A-F]{8} ){6})\r\n/g);
    return [...lines].map(([, line]) => {
      const [eax, ebx, ecx, edx, flags, sum] = line
        .trim()
        .split(" ")
        .map((text) => Number.parseInt(text, 16));
      return { eax, ebx, ecx, edx, flags, sum };
    });
  };

  it("answers as SeaBIOS does", { timeout: 500_000 }, async () => {
    const ours = await answers();
    const theirs = await answers("--bios", seabios());
    const compared = (all: readonly Answer[]) =>
      CALLS.map(({ name, interrupt, compare = [] }, index) => {
        const values = compare.map((what) => `${what}=${pick(all[index], what).toString(16)}`);
        return `INT ${interrupt.toString(16)}h ${name}: ${values.join(" ")}`;
      });
    expect(ours).toHaveLength(CALLS.length);
    expect(theirs).toHaveLength(CALLS.length);
    expect(compared(ours)).toEqual(compared(theirs));
  });
});
