/* SPDX-License-Identifier: BSD-2-Clause */
/* lintel.h - the parts of the shell that only Lintel has: the kernel's figures, services,
 * programs, mounts. The other files are plain POSIX and build on the host. */
#pragma once

#include <lintel/info.h>
#include <lintel/types.h>

#include "shell/shell.h"

/* The SYSTEM resource and init's door; HANDLE_NONE if nobody gave them. */
handle_t system_resource(void);
handle_t init_door(void);

/* One structure of info.h, zeroed where the kernel knows less; ERR_NOT_FOUND past the last index. */
MUST_USE err_t system_read(enum info_topic topic, uint32_t index, void *buffer, size_t bytes);

/* "command: what: the error's sentence"; returns 1. */
int shell_complain_lintel(struct shell *sh, const char *what, err_t err);

/* banner.c: what was found, from system_info. */
void banner_print(struct shell *sh);
const char *boot_path_name(uint32_t boot_path);

/* mounts.c: mounts_renew gives every mount whose server has died the door of the server that init started in its place;
 * where there is none yet, the mount stays as it is, and says EIO. */
bool mount_exists(const char *prefix);
void mounts_renew(struct shell *sh);

/* system.c */
int command_ps(struct shell *sh, int argc, char **argv);
int command_kill(struct shell *sh, int argc, char **argv);
int command_free(struct shell *sh, int argc, char **argv);
int command_zones(struct shell *sh, int argc, char **argv);
int command_doors(struct shell *sh, int argc, char **argv);
int command_counters(struct shell *sh, int argc, char **argv);

/* programs.c: also the table of the group `system` */
int command_run(struct shell *sh, int argc, char **argv);
int command_bench(struct shell *sh, int argc, char **argv);

/* trace.c */
int command_trace(struct shell *sh, int argc, char **argv);

/* services.c */
int command_services(struct shell *sh, int argc, char **argv);
int command_start(struct shell *sh, int argc, char **argv);
int command_stop(struct shell *sh, int argc, char **argv);
int command_poweroff(struct shell *sh, int argc, char **argv);
int command_reboot(struct shell *sh, int argc, char **argv);
/* Ask init to take the system down (system_power's action and code) and wait for it; comes back
 * with a status only if it does not happen. */
int shell_power(struct shell *sh, uint32_t action, uint32_t code);

/* mounts.c */
int command_df(struct shell *sh, int argc, char **argv);
int command_mount(struct shell *sh, int argc, char **argv);
int command_umount(struct shell *sh, int argc, char **argv);
