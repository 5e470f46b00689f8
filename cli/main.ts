/** `node osv-vm …`: reads the command line and starts the command, whose code is loaded only then. */

import { Command, CommanderError } from "commander";
import packageDescription from "../package.json" with { type: "json" };
import { addBootOptions, type BootOptions } from "./boot-options.ts";
import { CommandError, ExitStatus } from "./command-error.ts";
import { DISASSEMBLY_THREAD } from "./disassembly-thread.ts";
import { addMachineOptions, type MachineOptions } from "./machine-options.ts";

const VERSION = packageDescription.version;

function createProgram(finish: (status: number) => void): Command {
  const program = new Command("osv-vm")
    .description("Runs x86-64 software. Without a command: boots the built-in image and gives a shell.")
    .version(VERSION, "--version", "print the version")
    .helpOption("-h, --help", "print this")
    .helpCommand(false)
    .enablePositionalOptions()
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: () => undefined });

  addMachineOptions(program).action(async (options: MachineOptions) => {
    const { shell } = await import("./shell.ts");
    finish(await shell(options, VERSION));
  });

  const run = program
    .command("run")
    .description("Run a Linux x86-64 program on the OSv kernel; the exit status is the program's.")
    .argument("<program>", "looked up in the root's PATH; without --root also a file of this host")
    .argument("[args...]", "handed to the program")
    .helpOption("-h, --help", "print this")
    .passThroughOptions();
  addMachineOptions(run).action(async (name: string, parameters: string[], options: MachineOptions) => {
    const { run: start } = await import("./run.ts");
    finish(await start(name, parameters, options));
  });

  const boot = program
    .command("boot")
    .description(
      "Boot an unmodified system. The serial console is this terminal; Ctrl-A x leaves, Ctrl-A h helps.",
    )
    .argument("[image]", "a kernel (disks are not available in this version)")
    .helpOption("-h, --help", "print this");
  addBootOptions(boot).action(async (image: string | undefined, options: BootOptions) => {
    const { boot: start } = await import("./boot.ts");
    finish(await start(image, options, VERSION));
  });

  program
    .command("disasm")
    .description("Disassemble the code of an x86-64 ELF file.")
    .argument("<file>", "an ELF file")
    .helpOption("-h, --help", "print this")
    .option("--start <address>", "first address (0x401000)")
    .option("--end <address>", "stop before this address")
    .action(async (file: string, options: { start?: string; end?: string }) => {
      const { disasm } = await import("./disasm.ts");
      finish(await disasm(file, options));
    });

  const coming = [
    ["debug", "Run or boot, stopped before the first instruction, with a prompt."],
    ["serve", "Serve the web page."],
  ] as const;
  for (const [name, description] of coming) {
    program
      .command(name)
      .description(`${description} (Not available in this version.)`)
      .argument("[args...]")
      .helpOption("-h, --help", "print this")
      .allowUnknownOption()
      .action(() => {
        throw new CommandError(`${name}: this command is not available in version ${VERSION}`);
      });
  }
  return program;
}

/** Commander's message as one line that also says where to look. */
function describeUsageError(error: CommanderError, parameters: readonly string[]): string {
  const command = ["run", "boot", "debug", "disasm", "serve"].find((name) => name === parameters[0]);
  if (error.code === "commander.excessArguments") {
    return `no such command: ${parameters.find((text) => !text.startsWith("-")) ?? ""}; try: osv-vm --help`;
  }
  const text = error.message
    .replace(/^error: /, "")
    .replace(/\n\(Did you mean (.*)\?\)/, "; did you mean $1?")
    .replaceAll("\n", " ");
  const help = ["osv-vm", ...(command ? [command] : []), "--help"].join(" ");
  return `${command ? `${command}: ` : ""}${text}${/[.?]$/.test(text) ? " Try:" : "; try:"} ${help}`;
}

async function reportError(error: unknown, parameters: readonly string[]): Promise<number> {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0; // --help, --version
    process.stderr.write(`osv-vm: ${describeUsageError(error, parameters)}\n`);
    return ExitStatus.Ours;
  }
  if (error instanceof CommandError) {
    process.stderr.write(`osv-vm: ${error.message}\n`);
    return error.exitStatus;
  }
  const { describeStack } = await import("./stack-trace.ts");
  process.stderr.write(`osv-vm: internal error, please report it: ${describeStack(error)}\n`);
  return ExitStatus.Ours;
}

async function main(parameters: string[]): Promise<void> {
  try {
    await createProgram((status) => {
      process.exitCode = status;
    }).parseAsync(parameters, { from: "user" });
  } catch (error) {
    process.exitCode = await reportError(error, parameters);
  }
}

/** A thread of ours runs this file too. */
async function serve(): Promise<void> {
  const { serveDisassembly } = await import("./disassembly-worker.ts");
  await serveDisassembly();
}

void (process.env[DISASSEMBLY_THREAD] === undefined ? main(process.argv.slice(2)) : serve());
