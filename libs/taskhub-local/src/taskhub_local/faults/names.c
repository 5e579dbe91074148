/* Says where a name leads, to one process: cc -shared -fPIC -O2 -o names.so names.c, then LD_PRELOAD.
 *
 * FAULT_NAMES is a file of lines "name address". It is read at each lookup, as a DNS server would be asked; every other
 * name goes its usual way.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static int found(const char *wanted, char address[64])
{
    const char *path = getenv("FAULT_NAMES");
    FILE *file = path ? fopen(path, "re") : NULL;
    char name[256];
    int is_there = 0;
    while (file && !is_there && fscanf(file, "%255s %63s", name, address) == 2)
        is_there = strcasecmp(name, wanted) == 0;
    if (file)
        fclose(file);
    return is_there;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **results)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    char address[64];
    if (!real)
        real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node && found(node, address) ? address : node, service, hints, results);
}
