/** A whole Debian, as debootstrap makes it: boot loader, kernel, initramfs, systemd, a login, and all the way down again. */

import { expect, it } from "vitest";
import { runInShell, useMachines } from "../harness/booted-machines.ts";
import {
  DEBIAN_ENTRY,
  debianExtlinuxDisk,
  debianGrubDisk,
  HOST_NAME,
  missingDebootstrap,
} from "../harness/debian-disk.ts";
import { missingLoopMounts, seabios } from "../harness/disk-image.ts";
import type { GuestConsole } from "../harness/guest-console.ts";
import { describeWith, missingDebian } from "../harness/requirements.ts";

const PROMPT = `root@${HOST_NAME}:~# `;
/** Ten times what it takes on an idle machine. */
const BOOT_MS = 1_200_000;
const COMMAND_MS = 300_000;
/** What bash tells a terminal about pasted text, and the like. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is how they begin
const ESCAPES = /\x1b\[[?\d;]*[a-zA-Z]/g;
/** debootstrap fetches and installs a hundred packages. */
const BUILD_MS = 1_200_000;

const start = useMachines();

/** Types a command, whose status must be 0. */
async function run(console: GuestConsole, line: string): Promise<string> {
  const printed = await runInShell(console, line, PROMPT, COMMAND_MS);
  expect(printed).toContain("[status:0]");
  return printed.replaceAll(ESCAPES, "");
}

/** From the loader's menu to a shell of root's. */
async function logIn(console: GuestConsole): Promise<void> {
  await console.waitFor(DEBIAN_ENTRY, BOOT_MS);
  console.type("\r"); // the highlighted entry
  await console.waitFor(/Linux version 6\./, BOOT_MS);
  await console.waitFor(`${HOST_NAME} login: `, BOOT_MS);
  console.type("root\n");
  await console.waitFor(PROMPT, BOOT_MS);
}

async function checkSystem(console: GuestConsole): Promise<void> {
  expect(await run(console, "systemctl is-system-running --wait")).toContain("\nrunning\n");
  // The initramfs has loaded the driver of the disk, which has its interrupts as messages.
  expect(await run(console, "lsmod | grep virtio_blk; grep ' / ' /proc/mounts")).toMatch(
    /\/dev\/vda1 \/ ext4 rw/,
  );
  expect(await run(console, "grep virtio /proc/interrupts")).toMatch(/PCI-MSI.*virtio0-req/);
  expect(await run(console, "systemd-detect-virt; dpkg --verify coreutils && echo intact")).toMatch(
    /\nkvm\nintact\n/,
  );
}

async function powerOff(console: GuestConsole): Promise<void> {
  console.type("poweroff\n");
  expect(await console.end(BOOT_MS)).toBe(0);
  expect(console.output).toContain("reboot: Power down");
}

describeWith([missingDebian(), missingDebootstrap(), missingLoopMounts()], "a whole Debian", () => {
  it("with extlinux goes from the menu to a login, and powers off", {
    timeout: 2 * BOOT_MS + BUILD_MS,
  }, async () => {
    const console = start("--memory", "1G", "--disk", `${debianExtlinuxDisk()},snapshot`);
    await logIn(console);
    await checkSystem(console);
    await powerOff(console);
  });

  it("with GRUB goes from the menu to a login, and powers off", {
    timeout: 2 * BOOT_MS + BUILD_MS,
  }, async () => {
    const console = start("--memory", "1G", "--disk", `${debianGrubDisk()},snapshot`);
    await logIn(console);
    await checkSystem(console);
    await powerOff(console);
  });

  it("with GRUB is booted by SeaBIOS as well", { timeout: 2 * BOOT_MS + BUILD_MS }, async () => {
    const console = start("--memory", "1G", "--bios", seabios(), "--disk", `${debianGrubDisk()},snapshot`);
    await logIn(console);
    await powerOff(console);
  });
});
