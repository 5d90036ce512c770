"""English function words, which carry no topic. A short list of our own: verbs such as "turn" and "use" stay."""

ENGLISH = frozenset(
    """
    a an the this that these those
    i me my mine myself we us our ours you your yours he him his she her hers it its they them their theirs
    who whom whose which what when where why how
    am is are was were be been being do does did doing done have has had having
    will would shall should can could may might must
    and or but nor so yet if then than because while until unless although though whether as
    of at by for with about against between into through during before after to from in out on off over under again
    there here all any both each few more most other some such no not only own same too very just also
    im ive id ill youre youve isnt arent wasnt werent dont doesnt didnt havent hasnt hadnt wont wouldnt cant couldnt
    shouldnt thats whats theres lets please
    """.split()
) - {"off", "not", "no", "cant", "wont", "dont", "doesnt", "didnt", "out", "id"}
