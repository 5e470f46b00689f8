/** `osv-vm` without a command: boots like OSv, with its banner, and gives a shell. */

import { EPERM, Errno } from "../kernel/errno.ts";
import { errnoOf } from "../kernel/fs/host-errors.ts";
import { Shell } from "../kernel/shell/shell.ts";
import { openStandardFiles } from "../kernel/tty/standard-files.ts";
import { CommandError } from "./command-error.ts";
import { NodeHost } from "./host/node-host.ts";
import type { MachineOptions } from "./machine-options.ts";
import { environmentOf, hostRoot, kernelOptions } from "./program-options.ts";
import { createHostFileSystem, mountAt, openImage } from "./root.ts";
import { createSystem, type System } from "./system.ts";

/** What OSv says on the console when it comes up. */
function banner(version: string, commandLine: string): string {
  // From the start of this process, which is when the machine was switched on.
  const milliseconds = (process.uptime() * 1000).toFixed(2);
  return `OSv v${version}\nBooted up in ${milliseconds} ms\nCmdline: ${commandLine}\n`;
}

/**
 * Lets the shell's own `mount -t hostfs DIR AT` show directories of the host. Programs may not: what the host's user
 * has not asked for stays out of their reach.
 */
function allowHostMounts({ kernel, host }: System): void {
  kernel.mounts.fileSystemTypes.set("hostfs", (thread, source, data) => {
    if (thread.application.executablePath !== undefined) throw new Errno(EPERM);
    try {
      const keepChangesInMemory = data.split(",").includes("overlay");
      return createHostFileSystem({ directory: source, keepChangesInMemory }, host, kernel.mounts.fileMemory);
    } catch (error) {
      throw errnoOf(error);
    }
  });
}

/**
 * With a root of the host's, the programs of the built-in image are still at hand: below /osv, last in PATH.
 * @returns the environment that goes with it
 */
function addImage({ kernel, host }: System, environment: string[]): string[] {
  mountAt(kernel.mounts, "osv", openImage(host, kernel.mounts.fileMemory), "image");
  return environment.map((text) => (text.startsWith("PATH=") ? `${text}:/osv/usr/bin` : text));
}

/** @returns the exit status */
export async function shell(options: MachineOptions, version: string): Promise<number> {
  if (options.gdb !== undefined)
    throw new CommandError("--gdb: the shell is no program; name one: osv-vm run --gdb PROGRAM");
  const commandLine = [...kernelOptions(options), "shell"].join(" ");
  const system = await createSystem(options, hostRoot(options), commandLine, await NodeHost.open());
  const { kernel, terminals, host } = system;
  try {
    allowHostMounts(system);
    const environment = environmentOf(options, host.stdout.isTerminal);
    const session = new Shell({
      kernel,
      terminals,
      files: openStandardFiles(kernel, terminals),
      environment: options.root === undefined ? environment : addImage(system, environment),
      cwd: options.cwd ?? (options.root === undefined ? "/root" : "/"),
    });
    await session.print(banner(version, commandLine), session.streams.stdout);
    if (session.terminal !== undefined && options.root === undefined) await session.execute("cat /etc/motd");
    const status = await session.run();
    host.dispose();
    if (options.stats) process.stderr.write(system.statistics.describe());
    return status;
  } finally {
    system.dispose();
  }
}
