# Writes Lua files as a C array of struct calira_embedded (csrc/embedded.h).
#
#   cmake -DROOT=lua -DFILES=calira/init.lua|calira/time.lua -DOUTPUT=embedded.c -P embed.cmake

string(REPLACE "|" ";" files "${FILES}")
list(SORT files)

set(texts "")
set(rows "")
set(number 0)
foreach(file IN LISTS files)
  file(READ ${ROOT}/${file} hex HEX)
  string(LENGTH "${hex}" size)
  math(EXPR size "${size} / 2")
  string(REPEAT "[0-9a-f]" 32 line)
  string(REGEX REPLACE "(${line})" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  # The zero ends an empty file's array too, which C would not allow to be empty; size leaves it out.
  string(APPEND texts "static const unsigned char text_${number}[] = {\n${hex}0};\n\n")

  string(REGEX REPLACE "(/init)?\\.lua$" "" name "${file}")
  string(REPLACE "/" "." name "${name}")
  string(APPEND rows "    {\"${name}\", \"@${file}\", text_${number}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${OUTPUT}.new
"/* Written by cmake/embed.cmake from lua/. */
#include \"embedded.h\"

#include <stddef.h>

${texts}const struct calira_embedded calira_embedded[] = {
${rows}    {NULL, NULL, NULL, 0},
};
")
file(RENAME ${OUTPUT}.new ${OUTPUT})
