/* Text from elsewhere on its way to a terminal: control characters, escape sequences and what reorders text are data there. */
#ifndef CALIRA_TEXT_H
#define CALIRA_TEXT_H

#include <lua.h>
#include <stddef.h>

/* Pushes the text with each control character (C0, DEL, C1) and each bidirectional control replaced by "?". The text is
 * held by the caller, on the stack or in a userdata there. */
void text_push_masked(lua_State *L, const char *text, size_t size);

/* Adds mask and digest to the module table on the top. */
void text_open(lua_State *L);

#endif
