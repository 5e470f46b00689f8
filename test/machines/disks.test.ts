/** Disks: what is booted from them, by our BIOS and by SeaBIOS, and what systems read and write on them. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { debianKernel } from "../../scripts/debian-package.ts";
import { runInShell, useMachines } from "../harness/booted-machines.ts";
import {
  DISK_GREETING,
  extlinuxDisk,
  grubDisk,
  isolinuxCd,
  MENU_ENTRY,
  missingCdTools,
  missingDiskTools,
  missingGrub,
  missingLoopMounts,
  seabios,
} from "../harness/disk-image.ts";
import type { GuestConsole } from "../harness/guest-console.ts";
import { INIT_GREETING } from "../harness/initrd.ts";
import { OSV_VM } from "../harness/osv-vm.ts";
import { runProcess } from "../harness/process.ts";
import { describeWith, missingDebian, missingTool } from "../harness/requirements.ts";

const PROMPT = "/ # ";
/** Ten times what it takes on an idle machine. */
const BOOT_MS = 300_000;
const BUILD_MS = 300_000;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "osv-vm-disks-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = useMachines();
const run = (console: GuestConsole, line: string) => runInShell(console, line, PROMPT);

const digestOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

async function powerOff(console: GuestConsole): Promise<void> {
  console.type("poweroff -f\n");
  expect(await console.end(60_000)).toBe(0);
}

/** Waits for a loader's menu on the serial line, and for the system on the disk. */
async function bootToShell(console: GuestConsole): Promise<void> {
  await console.waitFor(MENU_ENTRY, BOOT_MS);
  console.type("\r"); // the highlighted entry
  const log = await console.waitFor(new RegExp(`${DISK_GREETING} .*`), BOOT_MS);
  expect(log).toMatch(/\/dev\/vda1 \/ ext4/);
  await console.waitFor(PROMPT, BOOT_MS);
}

describeWith([missingDebian(), missingDiskTools(), missingGrub()], "a disk with GRUB", () => {
  let disk = "";
  beforeAll(() => {
    disk = grubDisk();
  }, BUILD_MS);

  it("is booted by our BIOS: menu, kernel, root on the disk; changes of a snapshot are gone", {
    timeout: 3 * BOOT_MS,
  }, async () => {
    const before = digestOf(disk);
    const console = start("--disk", `${disk},snapshot`);
    await bootToShell(console);
    expect(console.output.match(/Linux from the disk/g)?.length).toBeLessThan(4); // on the line once, not twice
    const kernel = debianKernel("linux-image-cloud-amd64");
    expect(await run(console, "sha256sum /boot/vmlinuz")).toContain(digestOf(kernel));
    expect(await run(console, "echo written > /file; sync; cat /file")).toContain("\nwritten\n");
    expect(await run(console, "cat /sys/block/vda/serial; cat /sys/block/vda/size")).toMatch(
      /osv-vm-0\n?131072\n/,
    );
    await powerOff(console);
    expect(digestOf(disk)).toBe(before);
  });

  it("keeps what is written to it without `snapshot`", { timeout: 3 * BOOT_MS }, async () => {
    const copy = join(folder, "writable.img");
    copyFileSync(disk, copy);
    const console = start(copy);
    await bootToShell(console);
    await run(console, "echo kept for ever > /file; sync");
    await powerOff(console);
    const partition = join(folder, "partition");
    execFileSync("dd", [`if=${copy}`, `of=${partition}`, "bs=1M", "skip=1"], { stdio: "pipe" });
    expect(execFileSync("e2fsck", ["-fn", partition], { stdio: "pipe" }).toString()).toMatch(
      /\d+\/\d+ files/,
    );
    expect(execFileSync("debugfs", ["-R", "cat /file", partition], { stdio: "pipe" }).toString()).toBe(
      "kept for ever\n",
    );
  });

  it("is booted by SeaBIOS as well, which finds our tables", { timeout: 3 * BOOT_MS }, async () => {
    const console = start("--bios", seabios(), "--disk", `${disk},snapshot`, "--verbose");
    await bootToShell(console);
    for (const line of [/SeaBIOS \(version/, /table\(50434146\)=\w+ \(via xsdt\)/, /Copying SMBIOS 3\.0/])
      expect(console.output).toMatch(line);
    expect(await run(console, "cat /proc/interrupts")).toMatch(/PCI-MSI.*virtio0-req/);
    await powerOff(console);
  });
});

describeWith([missingDebian(), missingDiskTools(), missingLoopMounts()], "a disk with extlinux", () => {
  it("is booted by our BIOS: menu, kernel, root on the disk", {
    timeout: 3 * BOOT_MS + BUILD_MS,
  }, async () => {
    const console = start("--disk", `${extlinuxDisk()},snapshot`);
    await bootToShell(console);
    await powerOff(console);
  });
});

describeWith([missingDebian(), missingCdTools()], "a CD with isolinux", () => {
  it("is booted by our BIOS: menu, kernel, initial RAM disk", {
    timeout: 3 * BOOT_MS + BUILD_MS,
  }, async () => {
    const console = start("--disk", `${isolinuxCd()},ro`);
    await console.waitFor(MENU_ENTRY, BOOT_MS);
    console.type("\r");
    await console.waitFor(INIT_GREETING, BOOT_MS);
    await console.waitFor(PROMPT, BOOT_MS);
    await powerOff(console);
  });
});

/** Prints, echoes what is typed, and ends when "q" is: by APM, or "x": by INT 18h. */
const BOOT_SECTOR = `
bits 16
org 7c00h
    mov si, message
print:
    lodsb
    test al, al
    jz next
    mov ah, 0eh
    mov bx, 7
    int 10h
    jmp print
next:
    xor ah, ah
    int 16h
    mov ah, 0eh
    int 10h
    cmp al, 'x'
    jne .power
    int 18h
.power:
    cmp al, 'q'
    jne next
    mov ax, 5307h
    mov bx, 1
    mov cx, 3
    int 15h
    hlt
message: db "Hello from the boot sector", 13, 10, "> ", 0
    times 510-($-$$) db 0
    dw 0aa55h
`;

describeWith([missingTool("nasm")], "a boot sector", () => {
  let image = "";
  beforeAll(() => {
    const source = join(folder, "boot.asm");
    image = join(folder, "boot.img");
    writeFileSync(source, BOOT_SECTOR);
    execFileSync("nasm", ["-f", "bin", "-o", image, source]);
    truncateSync(image, 1_474_560); // a diskette
  });

  it("prints on the terminal and reads its keys", async () => {
    const console = start(image);
    await console.waitFor("Hello from the boot sector\r\n> ", 60_000);
    console.type("aB1{q");
    await console.waitFor("aB1{q", 60_000);
    expect(await console.end(60_000)).toBe(0);
  });

  it("that gives up ends us with status 1 and a line", async () => {
    const outcome = await runProcess([...OSV_VM, "boot", image], { input: "x" });
    expect(outcome.stderr.toString()).toContain("osv-vm: nothing to boot: the boot sector has given up");
    expect(outcome.status).toBe(1);
  });
});

describe("what cannot be booted", () => {
  const refuse = async (parameters: readonly string[], message: RegExp) => {
    const outcome = await runProcess([...OSV_VM, "boot", ...parameters]);
    expect(outcome.stderr.toString()).toMatch(message);
    expect(outcome.stderr.toString().trimEnd().split("\n")).toHaveLength(1);
    expect(outcome.status).toBe(125);
  };
  const file = (name: string, bytes: Uint8Array | string): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };

  it("is told in one line, with status 125", async () => {
    const zeros = file("zeros.img", new Uint8Array(1 << 20));
    await refuse([zeros], /zeros\.img: is not bootable: it has no boot signature \(55 AA/);
    await refuse(["--disk", zeros], /zeros\.img: is not bootable: it has no boot signature/);
    await refuse(
      [file("short.img", new Uint8Array(100))],
      /short\.img: is not bootable: it has no boot signature/,
    );
    await refuse(["--disk", file("empty.img", "")], /empty\.img: is empty/);
    await refuse(
      [file("disk.qcow2", Buffer.from("514649fb00000003", "hex"))],
      /disk\.qcow2: is a qcow2 image; .*raw/,
    );
    await refuse(
      [file("disk.img.gz", Buffer.from("1f8b0800", "hex"))],
      /disk\.img\.gz: is a gzip file; unpack it/,
    );
    await refuse([join(folder, "missing.img")], /missing\.img: no such file/);
    await refuse(["--disk", folder], /is a directory/);
    await refuse(["--disk", `${zeros},format=vhd`], /raw disks only; convert it with: qemu-img convert/);
    await refuse(["--disk", `${zeros},cache=none`], /A disk has: format=raw, ro, snapshot/);
    await refuse(["--bios", zeros, "--disk", zeros], /zeros\.img: is no firmware image/);
    await refuse(
      ["--bios", file("bios.bin", new Uint8Array(1000))],
      /bios\.bin: is no firmware image: it has 1000 bytes/,
    );
    await refuse([], /nothing to boot/);
    await refuse(["--disk", zeros, "--append", "quiet"], /--append is for a kernel/);
  });
});
