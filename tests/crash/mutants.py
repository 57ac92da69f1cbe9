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
import shutil
import subprocess
import sys
import time

CLIENTS = ("journals-shared", "old-words-replayed", "unsettled-on-another-cpu", "late-in-two-journals",
           "trail-believed")  # only two clients can meet these; tests/unit/test_pmfs_one_wins.c meets what walks believe
ROOM = "servers/fs/pmfs/"
NONE = "no-mistake"  # the engine has to be content with that one

# name: (file, text, what is there instead). Kinds: order and durability first, then logic, then recovery; and what only a
# death in the middle of a recovery, with the power lost after the next one, can show (kills.c).
MUTANTS = {
    "no-fence-before-commit": ("change.c", "if (unlikely(c->wrote))\n\t\tpm_fence(&c->fs->pm);", ""),
    "no-fence-after-table": ("change.c", "pm_write_back(pm, to, sizeof(*to));\n\tpm_fence(pm);", "pm_write_back(pm, to, sizeof(*to));"),
    "version-stays": ("change.c", "c->version++; /* C5 */", ""),
    "no-write-back-of-inode": ("journal.c", "pm_write_back(&fs->pm, to, sizeof(image));", ""),
    "unflushed-tail-of-inode": ("journal.c", "pm_write_back(&fs->pm, to, sizeof(image));", "pm_write_back(&fs->pm, to, 64);"),
    "inode-in-place": ("journal.c", "*to = &inode->slot->copy[!inode->copy], image", "*to = &inode->slot->copy[inode->copy], image"),
    "no-fence-after-record": ("journal.c", "pm_fence(&fs->pm); /* from here on it has happened; and what was written back before is settled */", ""),
    "no-write-back-of-word": ("journal.c", "pm_store_word(pm, at, c->word[i].value);", "pm_store_u64(pm, at, c->word[i].value);"),
    "places-before-record": ("journal.c", "record_seal(c, journal->ticket + 1, &record);",
                             "record_seal(c, journal->ticket + 1, &record);\n\tfor (uint32_t k = 0; k < c->words; k++)\n"
                             "\t\tpm_store_u64(&fs->pm, (uint64_t *)(void *)(fs->pm.base + c->word[k].offset), c->word[k].value);"),
    "one-half-a-journal": ("journal.c", "journal->half = !journal->half;", ""),
    "turn-without-places": ("journal.c", "if (unlikely(turn)) {\n\t\tplaces_store(fs, journal);", "if (unlikely(turn)) {\n\t\tjournal->late = 0;"),
    "settled-before-turn": ("journal.c", "if (inode->late_ticket <= settled)", "if (inode->late_ticket == 0)"),
    "late-in-two-journals": ("journal.c", "if (chosen == NULL)\n\t\treturn journal_lock_one(c->fs, c->cpu);", "if (true)\n\t\treturn journal_lock_one(c->fs, c->cpu);"),
    "late-at-unmount": ("mount.c", "journal_settle_all(fs);\n\tsummary_write", "summary_write"),
    "pieces-of-all-counted": ("journal.c", "uint32_t count = first + second;",
                              "uint32_t count = first + second;\n\n\tfor (uint32_t k = 0; k < count; k++)\n\t\tif (!pieces_good(fs, &out[k]))\n\t\t\treturn k;"),
    "tickets-ignored": ("journal.c", "(count == 0 || out[count].head->ticket == out[count - 1].head->ticket + 1)", "true"),
    "unsettled-on-another-cpu": ("journal.c", "if (unlikely(journal->cpu != c->cpu))", "if (false)"),
    "unsettled-under-overwrite": ("file.c", "if (offset + *done < inode->now.size)\n\t\t\t\tinode_settle(inode);", ""),
    "unsettled-under-mapping": ("mount.c", "inode_settle(inode); /* clients store where they like */", ""),
    "pieces-ignored": ("journal.c", " && crc32c(0, fs->pm.base + piece->offset, piece->bytes) == piece->crc;", ";"),
    "entry-through-the-cache": ("directory.c", "pm_store_lines(&c->fs->pm, leaf->slot[at], new", "pm_store(&c->fs->pm, leaf->slot[at], new"),
    "entry-vouched-by-half": ("directory.c", "change_vouch(c, leaf->slot[at], new, PMFS_SLOT_BYTES);",
                              "change_vouch(c, leaf->slot[at], new, 16);"),
    "entry-in-place": ("directory.c", "slots * PMFS_SLOT_BYTES);\n\treturn change_word_put",
                       "slots * PMFS_SLOT_BYTES);\n\tpm_store_u64(&c->fs->pm, &leaf->used, will);\n\treturn change_word_put"),
    "leaf-not-vouched-for": ("change.c", "change_vouch(c, to, c->fresh[i].data, bytes);", "(void)bytes;"),
    "leaf-by-half": ("change.c", "return (1 + slots) * PMFS_SLOT_BYTES;", "return PMFS_SLOT_BYTES + 0 * slots;"),
    "freed-too-early": ("change.c", "change_inode(c, inode)->blocks -= count;",
                        "change_inode(c, inode)->blocks -= count;\n\tc->freed_count--;\n"
                        "\tspace_free(&c->fs->space, start, count);"),
    "leaf-freed-unsettled": ("journal.c", "if (unlikely(c->leaf_goes)) {", "if (false) {"),
    "append-not-vouched-for": ("file.c", "change_vouch(c, to, data, (uint32_t)bytes);", "(void)to, (void)data;"),
    "mapped-append-vouched-for": ("file.c", "offset < inode->now.size || inode->lease != NULL ||", "offset < inode->now.size ||"),
    "overwrite-vouched-for": ("file.c", "offset < inode->now.size || inode->lease", "inode->lease"),
    "size-before-data": ("file.c", "> PMFS_BLOCK)\n\t\tc->wrote = true;", "> PMFS_BLOCK)\n\t\t(void)0;"),
    "size-before-zeroes": ("file.c", "else\n\t\tc->wrote = true;\n\t*wrote = n;", "\t*wrote = n;"),
    # blocks that several files have
    "claim-not-counted": ("extent_share.c", "err = space_share(&c->fs->space, physical & ~PMFS_EXTENT_SHARED, end - from);", "err = OK;"),
    "claim-counted-twice": ("space_share.c", "p.claims != 0 ? p.claims + 1 : 2", "p.claims != 0 ? p.claims + 1 : 3"),
    "source-not-marked": ("extent_share.c", "if (err == OK && from != to && any) {", "if (false) {"),
    "source-marked-later": ("share.c", "next->mtime = next->ctime = pmfs_now_ns(to->fs);\n\tif (err == OK)\n\t\tchange_commit(&c);",
                            "next->mtime = next->ctime = pmfs_now_ns(to->fs);\n\tif (err == OK) {\n"
                            "\t\tconst struct pmfs_inode marked = c.inodes == 2 ? c.next[1] : from->now;\n"
                            "\t\tc.inodes = 1;\n\t\tchange_commit(&c);\n\t\tchange_begin(&c, from->fs, false);\n"
                            "\t\tif (from != to)\n\t\t\t*change_inode(&c, from) = marked;\n\t\tchange_commit(&c);\n\t}"),
    "clone-says-nothing": ("extent_share.c", "old->physical | PMFS_EXTENT_SHARED }", "old->physical }"),
    "replaced-not-dropped": ("share.c", "tree_gone_end(&gone, from->fs, err == OK);", "tree_gone_end(&gone, from->fs, false);"),
    "shared-tail-not-cleared": ("share.c", "err = file_tail_clear(from, c, size, UINT64_MAX);", "{}"),
    "lease-kept-over-clone": ("share.c", "file_revoke(from, offset, block_up(bytes));", "(void)0;"),
    "target-lease-kept": ("share.c", "file_revoke(to, to_offset, whole);", "(void)0;"),
    "shared-written-in-place": ("file.c", "*shared = space_is_shared(&inode->fs->space, *at >> PMFS_BLOCK_SHIFT, &count);", "*shared = false;"),
    "shared-given-to-store": ("share.c", "if (shared)\n\t\treturn file_blocks_new", "if (false)\n\t\treturn file_blocks_new"),
    "copy-not-durable": ("file.c", "data != NULL && old == 0)\n\t\tdata_stored(inode, c, offset, to, data, n);\n\telse\n\t\tc->wrote = true;",
                         "data != NULL && old == 0)\n\t\tdata_stored(inode, c, offset, to, data, n);\n\telse if (old == 0)\n\t\tc->wrote = true;"),
    "copy-without-its-edges": ("file.c", "if (old != 0)\n\t\tpm_store_nt(pm, to + from, pm->base + old + from, end - from);", "if (old != 0)\n\t\t{}"),
    "copied-not-dropped": ("extent_tree.c", "if ((old & ~PMFS_EXTENT_SHARED) != physical)\n\t\terr = change_free(c, inode, old, count);", ""),
    "freed-while-shared": ("space.c", "if (unlikely(start & PMFS_EXTENT_SHARED)) {", "start &= ~PMFS_EXTENT_SHARED;\n\tif (false) {"),
    "dropped-and-not-freed": ("space_share.c", "if (p.claims == 0) /* it was the last: nobody else can get at them */", "if (false)"),
    "shrunk-in-a-shared-block": ("file.c", "size % PMFS_BLOCK != 0 ? file_own(inode, size, size + 1, true) : OK;", "OK;"),
    "punched-in-a-shared-block": ("allocate.c", "err_t err = file_own(inode, offset, end, true);", "err_t err = OK;"),
    "zeroed-in-place": ("allocate.c", "(at == 0 || (shared && zero))", "(at == 0)"),
    "mount-counts-once": ("space_share.c", "if (!piece_put(&p, p.claims + 1))", "if (!piece_put(&p, 1))"),
    "summary-without-claims": ("summary.c", "while (share_next(fs, &block, &share))\n\t\tshares++;", "(void)share;"),
    "summary-claims-not-taken": ("summary.c", "err = space_share_set(&fs->space, &share[i]);", "(void)share;"),
    "data-through-the-cache": ("file.c", "pm_store_nt(&fs->pm, fs->pm.base + at, data", "pm_store(&fs->pm, fs->pm.base + at, data"),
    "no-fence-after-overwrite": ("file.c", "pm_fence(&inode->fs->pm);\n\tconst uint64_t now = next->mtime;", "const uint64_t now = next->mtime;"),
    "target-not-durable": ("name.c", "change_vouch(c, to, what->target, (uint32_t)next->size);", ""),
    "sync-forgets-mappings": ("stores.c", "pm_write_back(pm, pm->base + at, min_u64(run, end - offset));", "{}"),
    "store-not-marked": ("stores.c", "(*stores)->mark[word] |= bit;\n\t(*stores)->marked += *first;", ""),
    "marks-forgotten-not-taken-back": ("stores.c", "file_revoke(inode, from, end - from);", "{}"),
    "marks-forgotten-before": ("stores.c", "\terr_t err = file_stores_write_back(inode);\n\tif (err == OK) {",
                               "\tstores_forget(inode->stores);\n\terr_t err = file_stores_write_back(inode);\n\tif (err == OK) {"),
    "times-lost-at-close": ("inode.c", "(inode->now.links != 0 && !inode->times_dirty)", "inode->now.links != 0"),
    "links-before-name": ("name.c", "err = dir_remove(&c, dir, &at->name, inode->number);",
                          "change_commit(&c);\n\tchange_begin(&c, dir->fs, true);\n\tchange_inode(&c, dir);\n"
                          "\terr = dir_remove(&c, dir, &at->name, inode->number);"),
    "name-before-links": ("name.c", "next->links++;\n\tnext->ctime = now;\n\t"
                          "err = dir_add(&c, dir, &to->name, inode->number, inode->type);",
                          "err = dir_add(&c, dir, &to->name, inode->number, inode->type);\n\tif (err == OK) {\n"
                          "\t\tchange_commit(&c);\n\t\tchange_begin(&c, dir->fs, false);\n"
                          "\t\tchange_inode(&c, inode)->links++;\n\t}\n\t(void)next;"),
    "rename-in-two-steps": ("rename.c", "if (err == OK)\n\t\terr = dir_remove(c, from,",
                            "if (err == OK) {\n\t\tchange_commit(c);\n\t\tchange_begin(c, r->fs, false);\n"
                            "\t\tchange_inode(c, from);\n\t}\n\tif (err == OK)\n\t\terr = dir_remove(c, from,"),
    "parent-not-moved": ("rename.c", "change_inode(c, moved)->parent = (uint32_t)to->number;", ""),
    "freed-while-open": ("name.c", "(is_dir || inode->now.links == 1) && inode_is_alone(inode)", "is_dir || inode->now.links == 1"),
    "lost-free-run": ("change.c", "for (uint32_t i = 0; i < c->freed_count; i++)", "for (uint32_t i = 1; i < c->freed_count; i++)"),
    "lost-free-inode": ("inode.c", "if (freed && inode_number_free(fs, number) != OK)", "if (false)"),
    "lost-blocks-of-inode": ("name.c", "if (ends)\n\t\tinode_release(dir->fs, inode->number, holds ? &last : NULL);", ""),
    "node-not-freed": ("extent_tree.c", "err = change_free(c, inode, entry->physical, 1);", "err = OK;"),
    "name-stays-in-cache": ("name.c", "name_cache_put(dir, &at->name, &(struct dir_hit) { .inode = 0 });", ""),
    "name-stays-gone": ("name.c", "name_cache_put(dir, &at->name, &(struct dir_hit) { inode->number, what->type, at->name.added });", ""),
    "trail-believed": ("trail.h", "inode->number == trail->inode && trail_holds(trail)", "inode->number == trail->inode"),
    "old-tail-shows": ("file.c", "err_t err = file_tail_clear(inode, &c, inode->now.size, size);", "err_t err = OK;"),
    "old-tail-stays": ("file.c", "err = file_tail_clear(inode, NULL, size, old);", "err = OK;"),
    "blocks-past-the-end": ("file.c", "err = tree_cut_some(&c, inode, blocks_of_size(size), TREE_KEYS_END, &done);",
                            "err = OK;\n\tdone = true;"),
    "tail-after-mapping": ("stores.c", "err = file_tail_clear(inode, NULL, inode->now.size, UINT64_MAX);", "{}"),
    "fill-without-zeroes": ("file.c", "pm_zero_nt(&fs->pm, to + into, n);\n\tedge_fill(", "{}\n\tedge_fill("),
    "allocated-old-tail-shows": ("allocate.c", "err = file_tail_clear(inode, &c, next->size, reached);", "{}"),
    "unsettled-under-zeroes": ("allocate.c", "inode_settle(inode);", ""),
    "kept-not-marked": ("allocate.c", "next->flags |= PMFS_INODE_KEPT;", "{}"),
    "kept-not-cleared": ("mount.c", "return err == OK ? file_past_clear(inode, &scan->mended) : err;", "return err;"),
    "kept-not-given-up": ("file.c", "change_commit(&c);\n\tinode->ragged = true;\n}", "change_commit(&c);\n}"),
    "punch-edges-not-fenced": ("allocate.c", "pm_fence(&inode->fs->pm);\n\treturn err;\n}\n\n/* --- moving",
                               "return err;\n}\n\n/* --- moving"),
    "cut-frees-its-neighbour": ("extent_tree.c", "old.physical + (cut - old.logical), cut_end - cut", "old.physical, cut_end - cut"),
    "cut-loses-the-rest": ("extent_tree.c", "tree_insert(c, inode, &tail) : err;", "OK : err;"),
    "moved-in-two-steps": ("allocate.c", "next->size += down ? -bytes : bytes;\n\tif (err == OK)\n\t\tfile_change_end(&c, inode);",
                           "(void)next;\n\tif (err == OK) {\n\t\tfile_change_end(&c, inode);\n"
                           "\t\tchange_begin(&c, inode->fs, false);\n"
                           "\t\tchange_inode(&c, inode)->size += down ? -bytes : bytes;\n"
                           "\t\tfile_change_end(&c, inode);\n\t}"),
    "moved-tree-stays": ("allocate.c", "tree_gone_end(&gone, inode->fs, err == OK);", "tree_gone_end(&gone, inode->fs, false);"),
    "nameless-has-a-link": ("name.c", ".links = what->nameless ? 0 :", ".links = what->nameless ? 1 :"),
    "journals-shared": ("journal.c", "if (pthread_mutex_trylock(&fs->journal[index].lock) == 0)\n\t\t\treturn &fs->journal[index];",
                        "if (i == 0) {\n\t\t\t(void)pthread_mutex_trylock(&fs->journal[0].lock);\n"
                        "\t\t\treturn &fs->journal[index * 0];\n\t\t}"),
    "mount-not-marked": ("mount.c", "state_write(&fs->pm, fs->state);", ""),
    "record-checksum-ignored": ("journal.c", "crc32c(0, &head->ticket, head->bytes - offsetof(struct pmfs_journal, ticket)) != head->crc)", "false)"),
    "old-words-replayed": ("journal.c", "*current = version <= record_version;", "*current = true;"),
    "words-not-replayed": ("journal.c", "pm_store_u64(pm, at, word->value);\n\t\tpm_write_back(pm, at, 8);", "(void)at;"),
    "replay-not-written-back": ("journal.c", "pm_store_nt(&fs->pm, to, &inode, sizeof(*to));",
                                "pm_store(&fs->pm, to, &inode, sizeof(*to));"),
    "records-replayed-at-once": ("journal.c", "if (newer)\n\t\t\tpm_fence(&fs->pm); /* C6:", "if (i + 1 == count)\n\t\t\tpm_fence(&fs->pm); /* C6:"),
    "forgotten-before-settled": ("journal.c", "if (newer)\n\t\t\tpm_fence(&fs->pm); /* C6:", "/* C6:"),
    "seen-records-not-durable": ("journal.c", "pm_write_back(&fs->pm, block_at(fs, PMFS_JOURNAL_BLOCK), "
                                 "(size_t)fs->super.journals * PMFS_BLOCK);", ""),
    "seen-pieces-not-durable": ("journal.c", "pm_write_back(pm, pm->base + record->piece[i].offset, record->piece[i].bytes);",
                                "(void)pm;"),
    "seen-words-not-durable": ("journal.c", "pm_write_back(pm, pm->base + (record->word[i].offset & ~(uint64_t)PMFS_WORD_OWNER), "
                               "8);", "(void)pm;"),
    "seen-places-not-durable": ("journal.c", "if (slot != NULL)\n\t\t\tpm_write_back(pm, slot, sizeof(*slot));", "(void)slot;"),
    "seen-not-fenced": ("journal.c", "pm_fence(&fs->pm);\n\tqsort", "qsort"),
    "seen-inode-not-durable": ("mount.c", "if (scan->fs->unclean)\n\t\tpm_write_back(&scan->fs->pm, slot, sizeof(*slot));",
                               "(void)scan, (void)slot;"),
    "torn-copy-kept": ("mount.c", "pm_store(pm, &slot->copy[!copy], &good, sizeof(good));", "{}"),
    "seen-table-not-durable": ("mount.c", "slot_write_back(scan, slot);\n\tif (inode_slot_pick", "if (inode_slot_pick"),
    "seen-tail-not-durable": ("mount.c", "pm_write_back(&fs->pm, tail, PMFS_BLOCK - into);", "{}"),
    "seen-past-not-durable": ("file.c", "pm_write_back(pm, pm->base + at, n); /* C7 in change.h */", "{}"),
    "torn-copy-taken": ("inode.c", ": copy->crc == inode_crc(number, copy);", ": true;"),
    "mending-not-fenced": ("mount.c", "\tpm_fence(&fs->pm);\n\treturn OK;", "\treturn OK;"),
    "orphans-kept": ("mount.c", "inode_destroy(inode);\n\t\treturn inode_number_free(fs, number);", "return OK;"),
    "rags-kept": ("mount.c", "err = tree_drop_from(inode, (uint32_t)((now->size + PMFS_BLOCK - 1) / PMFS_BLOCK));", "err = OK;"),
    "tails-kept": ("mount.c", "if (tail[i] == 0)", "if (true)"),
    "attributes-kept": ("inode.c", "xattr_end(fs, number, last->attributes);", "{}"),
    "lost-attributes-kept": ("mount.c", "|| (now->type == PMFS_ATTRIBUTES && xattr_is_lost(fs, number, now))", ""),
    "attributes-not-fenced": ("xattr.c", "c->wrote = true;\n\t\tfrom += part;", "from += part;"),
    "attributes-not-stored": ("xattr.c", "pm_store_nt(&c->fs->pm, block_at(c->fs, start), from, part);",
                            "(void)block_at(c->fs, start);"),
    "attributes-old-kept": ("xattr.c", "err = group_unmap(c, attributes, &s->holder);\n\t\tgroup_cut", "group_cut"),
    "summary-without-reserve": ("summary.c", "space_unready(&fs->space);", ""),
    "summary-without-free-inodes": ("summary.c", "bits[pool->numbers[k] / 8] &= (uint8_t)~(1u << pool->numbers[k] % 8);", "{}"),
    "summary-of-used-blocks": ("summary.c", "mixed ? bits[i] : UINT64_MAX", "mixed ? 0 : UINT64_MAX"),
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
    with open(os.path.join(folder, file), "w", encoding="utf-8") as out:
        out.write(whole.replace(text, instead))
    engine = os.path.join(folder, "crash")
    changed = copy_users(file, folder) if file.endswith(".h") else [file]
    objects = [path for path in glob.glob(os.path.join(options.build, "obj/crash/**/*.o"), recursive=True)
               if not any(path.endswith(f"/{ROOM}{one}.o") for one in changed) and "/tools/" not in path and "/server/" not in path]
    flags = [flag for flag in options.command if not flag.startswith("-Wl,") and flag != "-Werror"]
    links = [flag for flag in options.command if flag.startswith("-Wl,")]
    for one in changed:
        mutated = os.path.join(folder, one)
        subprocess.run(flags + ["-w", "-I" + ROOM, "-c", mutated, "-o", mutated + ".o"], check=True)
        objects.append(mutated + ".o")
    subprocess.run([options.command[0], *objects, *links, "-lpthread", "-o", engine], check=True)
    return engine


def copy_users(header, folder):
    """The sources that include it, beside it: a quoted name is looked for there first."""
    users = []
    for path in glob.glob(ROOM + "*.c"):
        with open(path, encoding="utf-8") as source:
            if f'#include "{header}"' in source.read():
                users.append(os.path.basename(path))
                shutil.copy(path, folder)
    return users


def hunt(options, name, clients=1):
    """(caught, what the engine said)."""
    engine = build_mutant(options, name)
    command = [engine, "--states", "100000000", "--limit", "40", "--random", "12", "--jobs", "1"]
    if name in CLIENTS or clients == 2:
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
    for clients in (1, 2):
        options.seconds, seconds = 15 * clients, options.seconds
        caught, what = hunt(options, NONE, clients)
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
