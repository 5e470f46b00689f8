/**
 * A guest that writes nonsense to every port, every register in memory, all of PCI's configuration space and every MSR, for
 * ever. Its interrupts are on, its interrupt handlers know nothing; what it does to itself is its own affair.
 */

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where something answers in memory: I/O APIC, HPET, local APIC, ECAM, BARs. */
const WINDOWS = [0xfec00000, 0xfed00000, 0xfee00000, 0xe0000000, 0xf0000000, 0xe0008000, 0xfee00000, 0xa0000];
/** Of 16 ports in a row each. */
const PORTS = [
  ...[0x20, 0x40, 0x60, 0x70, 0xa0, 0xe0, 0xf0, 0x3f0, 0x400, 0x4d0, 0x500, 0x510, 0x600, 0xcf0, 0xc000],
  ...[0x1f0, 0x170, 0x3c0, 0x3d0, 0x2f0, 0xc010, 0xc020, 0x80, 0x90, 0x3b0, 0x5050, 0x600, 0x3f8, 0x40, 0x20],
  ...[0x60, 0x510],
];
const MSRS = [
  ...[0x10, 0x1b, 0x3b, 0x48, 0x49, 0x8b, 0xfe, 0x11, 0x12, 0x174, 0x175, 0x1a0, 0x200, 0x250, 0x277, 0x2ff],
  ...[0x6e0, 0x808, 0x80b, 0x80f, 0x828, 0x830, 0x832, 0x838, 0x83e, 0x83f, 0xc0000080, 0xc0000081],
  ...[0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03],
];

const longs = (values: readonly number[]): string => values.map((value) => `.long ${value}`).join("\n    ");

const SOURCE = `
    .set FLAGS, 3
    .text
    .code32
    .long 0x1badb002, FLAGS, -(0x1badb002 + FLAGS)
    .globl _start
_start:
    movl 16(%ebx), %esi          # the command line: the seed, as decimal digits
    xorl %ebp, %ebp
1:  movzbl (%esi), %eax
    incl %esi
    subl $48, %eax
    jb 2f
    imull $10, %ebp
    addl %eax, %ebp
    jmp 1b
2:  orl $0x10000001, %ebp        # xorshift's state
    movl $0x90000, %esp
    lgdt gdtr
    ljmp $8, $3f
3:  movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl $idt, %edi
    movl $ignore, %eax
    movl $256, %ecx
4:  call gate
    addl $8, %edi
    loop 4b
    movl $idt + 13 * 8, %edi
    movl $skip, %eax
    call gate
    lidt idtr
    movl $0x1ff, 0xfee000f0
    movl $0x700, 0xfee00350
next:
    testl $0xff, %ebp            # somebody may have switched interrupts off
    jnz 5f
    movl $0x90000, %esp
    sti
5:  call random
    movl %eax, %ecx
    andl $7, %ecx
    jmp *actions(, %ecx, 4)

write_port:
    call port
    call random
    testl $0x100000, %ebp
    jz 6f
    outb %al, %dx
    jmp next
6:  testl $0x200000, %ebp
    jz 7f
    outw %ax, %dx
    jmp next
7:  outl %eax, %dx
    jmp next
read_port:
    call port
    testl $0x100000, %ebp
    jz 8f
    inb %dx, %al
    jmp next
8:  inl %dx, %eax
    jmp next
write_memory:
    call address
    call random
    testl $0x100000, %ebp
    jz 9f
    andl $~3, %edi
    movl %eax, (%edi)
    jmp next
9:  movb %al, (%edi)
    jmp next
read_memory:
    call address
    movl (%edi), %eax
    jmp next
write_msr:
    call msr
    call random
    movl %eax, %edx
    call random
    testl $0x100000, %ebp
    jz 10f
    xorl %edx, %edx
10: wrmsr
    jmp next
read_msr:
    call msr
    rdmsr
    jmp next
write_pci:
    call random
    andl $0x00ff1ffc, %eax
    testl $0x300000, %ebp
    jz 11f
    andl $0x1ffc, %eax           # most often bus 0
11: orl $0x80000000, %eax
    movw $0xcf8, %dx
    outl %eax, %dx
    call random
    movw $0xcfc, %dx
    outl %eax, %dx
    jmp next

random:                          # in eax and ebp
    movl %ebp, %eax
    shll $13, %eax
    xorl %eax, %ebp
    movl %ebp, %eax
    shrl $17, %eax
    xorl %eax, %ebp
    movl %ebp, %eax
    shll $5, %eax
    xorl %eax, %ebp
    movl %ebp, %eax
    imull $0x9e3779b1, %eax
    ret
port:                            # in dx
    call random
    testl $0x7000000, %eax
    jnz 12f
    movl %eax, %edx              # any
    ret
12: movl %eax, %ecx
    shrl $8, %ecx
    andl $31, %ecx
    movl ports(, %ecx, 4), %edx
    andl $15, %eax
    addl %eax, %edx
    ret
address:                         # in edi
    call random
    movl %eax, %ecx
    shrl $16, %ecx
    andl $7, %ecx
    movl windows(, %ecx, 4), %edi
    andl $0xfff, %eax
    addl %eax, %edi
    ret
msr:                             # in ecx
    call random
    movl %eax, %ecx
    shrl $8, %ecx
    andl $31, %ecx
    movl msrs(, %ecx, 4), %ecx
    testl $0x7000000, %eax
    jnz 13f
    andl $0xff, %eax
    addl %eax, %ecx
13: ret
gate:
    movw %ax, (%edi)
    movw $8, 2(%edi)
    movw $0x8e00, 4(%edi)
    movl %eax, %edx
    shrl $16, %edx
    movw %dx, 6(%edi)
    ret
ignore:
    movl $0, 0xfee000b0
    pushl %eax
    movb $0x20, %al
    outb %al, $0x20
    outb %al, $0xa0
    popl %eax
    iret
skip:                            # #GP of RDMSR or WRMSR, both of two bytes
    addl $4, %esp
    addl $2, (%esp)
    iret

    .data
    .balign 8
actions: .long write_port, write_port, read_port, write_memory, read_memory, write_msr, read_msr, write_pci
windows:
    ${longs(WINDOWS)}
ports:
    ${longs(PORTS)}
msrs:
    ${longs(MSRS)}
    .balign 8
gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr: .word 23
    .long gdt
idtr: .word 256 * 8 - 1
    .long idt
    .bss
    .balign 8
idt: .skip 256 * 8
`;

/** Builds it in a folder. @returns the multiboot kernel; its command line is a seed */
export function buildNonsenseGuest(folder: string): Uint8Array {
  const path = join(folder, "nonsense");
  writeFileSync(`${path}.S`, SOURCE);
  const link = ["-m32", "-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none"];
  execFileSync("gcc", [...link, "-o", path, `${path}.S`], { stdio: "pipe" });
  return readFileSync(path);
}
