#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""mutants.py - seeds one mistake after the other into copies of pmfs's sources, and has the crash engine find each.

Usage: mutants.py --build DIR [--seconds S] [--only NAME] -- COMPILER FLAG...      (make crash-mutants)

A mutant replaces one piece of text, which has to be there exactly once: a change in pmfs that moves it is noticed here.
Nothing of this is in pmfs itself. Exit status 0: every mutant was caught."""
import argparse
import glob
import os
import re
import subprocess
import sys
import time

CLIENTS = ("journals-shared", "old-words-replayed")  # only two clients can meet these
ROOM = "servers/fs/pmfs/"
NONE = "no-mistake"  # the engine has to be content with that one

# name: (file, text, what is there instead). Kinds: order and durability first, then logic, then recovery.
MUTANTS = {
    "no-fence-before-commit": ("change.c", "if (c->wrote)\n\t\tpm_fence(pm);", ""),
    "no-fence-after-inode": ("change.c", "inode_write(c, 0);\n\t\tpm_fence(pm);", "inode_write(c, 0);"),
    "no-write-back-of-inode": ("change.c", "pm_write_back(&c->fs->pm, to, sizeof(*to));", ""),
    "inode-in-place": ("change.c", "copy[!inode->copy];", "copy[inode->copy];"),
    "version-stays": ("change.c", "version++;", ""),
    "no-fence-after-record": ("journal.c", "pm_fence(pm); /* from here on it has happened */", ""),
    "no-fence-after-places": ("journal.c", "pm_fence(pm);\n\tpthread_mutex_unlock", "pthread_mutex_unlock"),
    "no-write-back-of-word": ("journal.c", "pm_write_back(pm, c->word[i].at, 8);", ""),
    "no-write-back-of-places": ("journal.c", "pm_store(pm, to, &c->next[i], sizeof(*to));\n"
                                "\t\tpm_write_back(pm, to, sizeof(*to));", "pm_store(pm, to, &c->next[i], sizeof(*to));"),
    "unflushed-tail-of-inode": ("journal.c", "pm_store(pm, to, &c->next[i], sizeof(*to));\n"
                                "\t\tpm_write_back(pm, to, sizeof(*to));",
                                "pm_store(pm, to, &c->next[i], sizeof(*to));\n\t\tpm_write_back(pm, to, 64);"),
    "places-before-record": ("journal.c", "record_fill(c, version, &record, &end);",
                             "record_fill(c, version, &record, &end);\n\tfor (uint32_t k = 0; k < c->words; k++)\n"
                             "\t\tpm_store_u64(pm, c->word[k].at, c->word[k].value);"),
    "record-does-not-vouch": ("journal.c", "if (c->word[i].body == NULL)", "if (1)"),
    "no-write-back-of-entry": ("directory.c", "pm_write_back(&c->fs->pm, leaf->slot[at], (size_t)slots * PMFS_SLOT_BYTES);",
                               ""),
    "unflushed-tail-of-entry": ("directory.c", "pm_write_back(&c->fs->pm, leaf->slot[at], (size_t)slots * PMFS_SLOT_BYTES);",
                                "pm_write_back(&c->fs->pm, leaf->slot[at], 1);"),
    "entry-in-place": ("directory.c", "err = change_word_put(c, dir, &leaf->used, will);\n\tif (err == OK)",
                       "err = change_word_put(c, dir, &leaf->used, will);\n"
                       "\tpm_store_u64(&c->fs->pm, &leaf->used, will);\n\tif (err == OK)"),
    "freed-too-early": ("change.c", "change_inode(c, inode)->blocks -= count;",
                        "change_inode(c, inode)->blocks -= count;\n\tc->freed_count--;\n"
                        "\tspace_free(&c->fs->space, start, count);"),
    "size-before-data": ("file.c", "pm_zero_nt(&fs->pm, to + into + n, whole - into - n);\n\tc->wrote = true;",
                         "pm_zero_nt(&fs->pm, to + into + n, whole - into - n);"),
    "size-before-tail": ("file.c", "pm_store_nt(&fs->pm, fs->pm.base + at, data + *done, n);\n\t\t\tc->wrote = true;",
                         "pm_store_nt(&fs->pm, fs->pm.base + at, data + *done, n);"),
    "data-through-the-cache": ("file.c", "pm_store_nt(&fs->pm, fs->pm.base + at, data", "pm_store(&fs->pm, fs->pm.base + at, data"),
    "no-fence-after-overwrite": ("file.c", "} else {\n\t\tpm_fence(&fs->pm);\n\t\tinode->now.mtime",
                                 "} else {\n\t\tinode->now.mtime"),
    "target-not-durable": ("name.c", "c->wrote = true;\n\treturn tree_map", "return tree_map"),
    "sync-forgets-mappings": ("file.c", "pm_write_back(&fs->pm, fs->pm.base + at, min_u64(run, inode->now.size - offset));",
                              "{}"),
    "times-lost-at-close": ("inode.c", "if (inode->refs == 1 && inode->times_dirty && inode->now.links != 0)", "if (0)"),
    "links-before-name": ("name.c", "err = dir_remove(&c, dir, at->name, at->bytes, inode->number);",
                          "change_commit(&c);\n\tchange_begin(&c, dir->fs, true);\n\tchange_inode(&c, dir);\n"
                          "\terr = dir_remove(&c, dir, at->name, at->bytes, inode->number);"),
    "name-before-links": ("name.c", "next->links++;\n\tnext->ctime = now;\n\t"
                          "err = dir_add(&c, dir, to->name, to->bytes, inode->number, inode->type);",
                          "err = dir_add(&c, dir, to->name, to->bytes, inode->number, inode->type);\n\tif (err == OK) {\n"
                          "\t\tchange_commit(&c);\n\t\tchange_begin(&c, dir->fs, false);\n"
                          "\t\tchange_inode(&c, inode)->links++;\n\t}\n\t(void)next;"),
    "rename-in-two-steps": ("rename.c", "if (err == OK)\n\t\terr = dir_remove(c, from,",
                            "if (err == OK) {\n\t\tchange_commit(c);\n\t\tchange_begin(c, r->fs, false);\n\t}\n"
                            "\tif (err == OK)\n\t\terr = dir_remove(c, from,"),
    "parent-not-moved": ("rename.c", "change_inode(c, moved)->parent = to->number;", ""),
    "lost-free-run": ("change.c", "for (uint32_t i = 0; i < c->freed_count; i++)", "for (uint32_t i = 1; i < c->freed_count; i++)"),
    "lost-free-inode": ("inode.c", "\treturn inode_number_free(fs, inode->number);\n}\n\n/* --- the table", "\treturn OK;\n}\n\n/* --- the table"),
    "node-not-freed": ("extent_tree.c", "err = change_free(c, inode, entry->physical, 1);", "err = OK;"),
    "old-tail-shows": ("file.c", "size > old ? tail_clear(inode, &c, old, size) : OK;", "OK;"),
    "blocks-past-the-end": ("file.c", "return err == OK ? rags_cut(inode) : err;\n}\n\nstatic err_t attributes",
                            "return err;\n}\n\nstatic err_t attributes"),
    "tail-after-mapping": ("file.c", "inode->type == PMFS_FILE ? tail_clear(inode, NULL, inode->now.size, UINT64_MAX) : OK;",
                           "OK;"),
    "journals-shared": ("journal.c", "if (pthread_mutex_trylock(&fs->journal[index].lock) == 0)\n\t\t\treturn index;",
                        "if (i == 0) {\n\t\t\t(void)pthread_mutex_trylock(&fs->journal[0].lock);\n"
                        "\t\t\treturn index * 0;\n\t\t}"),
    "mount-not-marked": ("mount.c", "state_write(&fs->pm, fs->state);", ""),
    "record-checksum-ignored": ("journal.c", "crc32c(0, &record->version, record->bytes) != record->crc)", "false)"),
    "old-words-replayed": ("journal.c", "current[i] = version <= record->version;", "current[i] = true;"),
    "words-not-replayed": ("journal.c", "pm_store_u64(pm, at, word->value);\n\t\t\tpm_write_back(pm, at, 8);", ""),
    "replay-not-written-back": ("journal.c", "pm_store(pm, to, inode, sizeof(*to));\n\t\tpm_write_back(pm, to, sizeof(*to));",
                                "pm_store(pm, to, inode, sizeof(*to));"),
    "torn-copy-taken": ("inode.c", ": copy->crc == inode_crc(number, copy);", ": true;"),
    "mending-not-fenced": ("mount.c", "\tpm_fence(&fs->pm);\n\treturn OK;", "\treturn OK;"),
    "torn-copy-kept": ("mount.c", "slot_mend(scan, slot, number);", ""),
    "orphans-kept": ("mount.c", "return inode_destroy(&inode);", "return OK;"),
    "rags-kept": ("mount.c", "err_t err = tree_drop_from(&inode, (uint32_t)((now->size + PMFS_BLOCK - 1) / PMFS_BLOCK));",
                  "err_t err = OK;"),
    "tails-kept": ("mount.c", "if (tail[i] == 0)", "if (true)"),
}


def build_mutant(options, name):
    """The engine with that mistake; raises when the text is not there exactly once."""
    if name == NONE:
        return os.path.join(options.build, "test/crash/crash")
    file, text, instead = MUTANTS[name]
    with open(ROOM + file, encoding="utf-8") as source:
        whole = source.read()
    if whole.count(text) != 1:
        raise LookupError(f"{ROOM}{file} has its text {whole.count(text)} times")
    folder = os.path.join(options.build, "test/crash/mutants", name)
    os.makedirs(folder, exist_ok=True)
    mutated = os.path.join(folder, file)
    with open(mutated, "w", encoding="utf-8") as out:
        out.write(whole.replace(text, instead))
    engine = os.path.join(folder, "crash")
    objects = [path for path in glob.glob(os.path.join(options.build, "obj/crash/**/*.o"), recursive=True)
               if not path.endswith(f"/{ROOM}{file}.o") and "/tools/" not in path]
    flags = [flag for flag in options.command if not flag.startswith("-Wl,") and flag != "-Werror"]
    links = [flag for flag in options.command if flag.startswith("-Wl,")]
    subprocess.run(flags + ["-w", "-I" + ROOM, "-c", mutated, "-o", mutated + ".o"], check=True)
    subprocess.run([options.command[0], *objects, mutated + ".o", *links, "-lpthread", "-o", engine], check=True)
    return engine


def hunt(options, name):
    """(caught, what the engine said)."""
    engine = build_mutant(options, name)
    command = [engine, "--states", "100000000", "--limit", "40", "--random", "12", "--jobs", "1"]
    if name in CLIENTS:
        command += ["--clients", "2"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=options.seconds,
                                check=False)
    except subprocess.TimeoutExpired:
        return False, f"survived {options.seconds} s"
    found = re.search(r"FAILED in (.*)\n(?:  at .*\n)?  (.*)", result.stderr)
    if result.returncode == 1 and found:
        return True, f"{found.group(1)}: {found.group(2).strip()}"
    if result.returncode == 1 and "died of signal" in result.stderr:
        return True, result.stderr.strip()[:120]
    return False, f"exit status {result.returncode}: {result.stderr.strip()[:120]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True)
    parser.add_argument("--seconds", type=int, default=240, help="for each mutant")
    parser.add_argument("--only", action="append")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    survivors = []
    options.seconds, seconds = 15, options.seconds
    caught, what = hunt(options, NONE)
    options.seconds = seconds
    if caught or "survived" not in what:
        print(f"crash-mutants: the engine complains about pmfs as it is: {what}")
        return 1
    for number, name in enumerate(options.only or MUTANTS, 1):
        started = time.monotonic()
        try:
            caught, what = hunt(options, name)
        except (LookupError, subprocess.CalledProcessError) as error:
            caught, what = False, f"cannot be made: {error}"
        if not caught:
            survivors.append(name)
        print(f"  {number:2} {'caught  ' if caught else 'SURVIVED'} {name}: {what[:150]} ({time.monotonic() - started:.1f} s)",
              flush=True)
    total = len(options.only or MUTANTS)
    print(f"crash-mutants: {total - len(survivors)} of {total} caught" + (f"; not: {' '.join(survivors)}" if survivors else ""))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
