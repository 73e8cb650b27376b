"""English function words, in lower case: what every text says, whatever it is about.

Words as the library cuts them: "don't" is "don" and "t".
"""

from __future__ import annotations

FUNCTION_WORDS = frozenset(
    """
    a an the this that these those such same other another some any no each every either neither both all
    i me my mine myself we us our ours you your yours he him his himself she her hers herself it its itself
    they them their theirs themselves who whom whose which what one oneself
    and or but nor so yet if then than because although though while whereas unless whether as
    of in on at by for with from to into onto upon over under between among through during before after
    above below about against across along around behind beside beyond near off out up down since until
    till toward towards within without via per
    am is are was were be been being do does did doing have has had having will would shall should can could
    may might must ought
    not only also too very just even still ever never here there where when why how now again once more most
    much many few less own else however thus
    s t d ll re ve m don didn doesn isn wasn
    """.split()
)
