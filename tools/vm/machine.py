# SPDX-License-Identifier: BSD-2-Clause
"""machine.py - from checked options to QEMU's command line; the pmem file; what QEMU's exit status means."""
import os
import shutil
import subprocess

from vm import accel
from vm.options import OptionError, command_line, show_size

PMEM_BYTES_DEFAULT = 256 << 20
PAGE = 4096
EXIT_PORT = "isa-debug-exit,iobase=0xf4,iosize=4"
FIRMWARE = ("/usr/share/OVMF/OVMF_{}_4M.fd", "/usr/share/OVMF/OVMF_{}.fd", "/usr/share/edk2/ovmf/OVMF_{}.fd")


def prepare_pmem(options, tell):
    """Bytes of the NVDIMM; makes the file if it is not there. 0: no NVDIMM."""
    if options.pmem_off:
        return 0
    path = options.pmem_file
    if not os.path.exists(path):
        size = options.pmem or PMEM_BYTES_DEFAULT
        try:
            os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
            with open(path, "wb") as file:
                file.truncate(size)
        except OSError as error:
            raise OptionError(f"{path}: cannot make a pmem file of {show_size(size)}: {error.strerror}; "
                              "try a smaller PMEM= or another PMEM_FILE=") from error
    if not os.path.isfile(path) or not os.access(path, os.R_OK | os.W_OK):
        raise OptionError(f"{path}: not a file that can be read and written; choose another PMEM_FILE=, or PMEM=none")
    size = os.path.getsize(path)
    if options.pmem and options.pmem != size:
        raise OptionError(f"{path} has {show_size(size)}, PMEM= asks for {show_size(options.pmem)}: remove the file "
                          "(what is stored there goes), choose another PMEM_FILE=, or leave PMEM= out")
    if size < PAGE:
        raise OptionError(f"{path} has {show_size(size)}, too small for an NVDIMM (one page, {PAGE}, at least): "
                          "remove it and a new one is made, or use PMEM=none")
    if size % PAGE:
        tell(f"{path}: the last {size % PAGE} bytes do not fill a page and are not part of the NVDIMM")
    return size - size % PAGE


def find_firmware(part):
    for pattern in FIRMWARE:
        if os.path.exists(pattern.format(part)):
            return pattern.format(part)
    raise OptionError("no UEFI firmware found: install the package ovmf")


def firmware_arguments(options):
    """OVMF and a copy of its variables; the copy is fresh each time, so that a boot depends on nothing before it."""
    variables = os.path.join(options.build, "ovmf-variables.fd")
    shutil.copyfile(find_firmware("VARS"), variables)
    return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={find_firmware('CODE')}",
            "-drive", f"if=pflash,format=raw,unit=1,file={variables}"]


def run_tool(command):
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines() or ["no message"]
        raise OptionError(f"{command[0]}: {lines[-1]}")


def images_folder(options):
    return os.path.join(options.build, "extra") if options.extra else options.build


def grub_arguments(options, line):
    """The ISO, and beside it a tiny disk with this run's command line, which the ISO's menu reads."""
    disk = os.path.join(options.build, "options.img")
    text = os.path.join(options.build, "options.cfg")
    with open(text, "w", encoding="ascii", errors="replace") as file:
        file.write(f'set lintel_words="{line}"\n')
    with open(disk, "wb") as file:
        file.truncate(1440 << 10)
    run_tool(["mformat", "-i", disk, "-f", "1440", "-N", "4c494e54", "::"])
    run_tool(["mcopy", "-i", disk, text, "::lintel.cfg"])
    iso = os.path.join(images_folder(options), "lintel.iso")
    arguments = ["-cdrom", iso, "-drive", f"file={disk},format=raw,if=ide,index=0", "-boot", "d"]
    return arguments + (firmware_arguments(options) if options.boot == "grub-uefi" else [])


def uefi_arguments(options, line):
    """A copy of the EFI system partition with this run's command line."""
    base = os.path.join(images_folder(options), "esp.img")
    disk = os.path.join(options.build, "esp-run.img")
    text = os.path.join(options.build, "cmdline.txt")
    with open(text, "w", encoding="ascii", errors="replace") as file:
        file.write(line + "\n")
    run_tool(["cp", "--sparse=always", base, disk])
    run_tool(["mcopy", "-o", "-i", disk, text, "::lintel/cmdline.txt"])
    return firmware_arguments(options) + ["-drive", f"file={disk},format=raw,if=ide,index=0"]


def boot_arguments(options):
    line = command_line(options)
    if options.boot == "pvh":
        return ["-kernel", os.path.join(options.build, "kernel.elf"),
                "-initrd", os.path.join(images_folder(options), "boot.tar"), "-append", line]
    return uefi_arguments(options, line) if options.boot == "uefi" else grub_arguments(options, line)


def serial_arguments(options, file):
    """A terminal: raw, Ctrl-A x leaves. A script: plain output, Ctrl-C ends QEMU. Or a file."""
    if file:
        return ["-serial", f"file:{file}", "-monitor", "none"]
    if options.script is None:
        return ["-chardev", "stdio,id=console,mux=on,signal=off", "-serial", "chardev:console",
                "-mon", "chardev=console,mode=readline"]
    return ["-chardev", "stdio,id=console,signal=on", "-serial", "chardev:console", "-monitor", "none"]


def build_command(options, tell, serial=""):
    pmem = prepare_pmem(options, tell)
    arguments, model, told = accel.choose(options)
    if told:
        tell(told)
    command = [accel.QEMU, "-M", "q35" + (",nvdimm=on" if pmem else ""), "-nodefaults", "-display", "none"]
    command += arguments + ["-cpu", model, "-smp", str(1 if options.icount else options.cpus)]
    if pmem:
        slack = 1 << 30  # for the alignment of the NVDIMM's place
        command += ["-m", f"{options.mem >> 10}K,slots=2,maxmem={(options.mem + pmem + 2 * slack) >> 20}M"]
        command += ["-object", f"memory-backend-file,id=pmem0,share=on,mem-path={options.pmem_file},size={pmem}",
                    "-device", "nvdimm,memdev=pmem0,id=nvdimm0"]
    else:
        command += ["-m", f"{options.mem >> 10}K"]
    command += serial_arguments(options, serial) + ["-device", EXIT_PORT, "-no-reboot"]
    return command + boot_arguments(options)


def explain(status, errors):
    """(exit status for whoever asked, line to tell or ''). A guest that writes code c to the exit port makes QEMU end
    with c << 1 | 1; a power-off ends it with 0; QEMU's own refusals are status 1 with a message."""
    complaints = [line for line in errors.splitlines() if line.startswith(accel.QEMU) and "warning" not in line]
    if status == 0:
        return 0, ""
    if status < 0:
        return 1, f"QEMU was ended by signal {-status}" + (f": {complaints[0]}" if complaints else "")
    if status == 1 and complaints:
        return 1, "QEMU refuses: " + complaints[0].removeprefix(accel.QEMU + ": ")
    if status & 1:
        return status >> 1, f"the guest ended with status {status >> 1}" if status >> 1 else ""
    return 1, f"QEMU ended with status {status}"

