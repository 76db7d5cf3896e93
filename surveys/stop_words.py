"""Words that say nothing alone, and those that deny what follows, in English and Chinese."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ENGLISH = _set("""
a about above after again all also always am an and any are as at be because been before being below between
both but by came can come could day did do does doing done down during each even ever every few for from further
get gets getting give go goes going gone got had has have having he her here hers him his how however i if in
into is it its just last let lot lots made make makes many may maybe me might mine more most much must my myself
now of off often on once one only or other our ours out over own please quite rather really said same say see
she should since so some something still such than that the their theirs them then there these they thing things
this those though through time times to too two under until up upon us used very via want was way we well went
were what when where which while who whom whose why will with would yes yet you your yours
""")
CHINESE = _set("""
一个 一些 一下 一样 一直 一种 一点 一般 一次 一杯 上 下 不过 与 个 中 为 为了 为什么 主要 之
也 也是 了 些 什么 今天 他 他们 会 但 但是 你 你们 使 其他 再 出 别的 到 去 又 及 只 只是
只有 可 可以 可能 各 同时 后 向 吗 吧 呢 和 哪 哪里 啊 嗯 因为 在 大家 太 她 它 它们 对
对于 将 就 就是 已 已经 应该 很 得 您 您们 想 我 我们 我要 或 或者 所以 所有 才 把 挺 据
整体 方面 时 时候 是 是否 更 最 有 有些 有时 有点 来 每 每次 每天 比 比较 没什么 然后 特别
现在 用 由 的 的话 真 真的 着 感觉 而 而且 能 能够 自己 虽然 蛮 被 要 觉得 让 还 还是 还有
这 这个 这些 这里 这样 进 连 那 那个 那些 那里 都 里 里面 非常 如果 起来 总是 十分 以及 以后
之前 之后 希望 建议 比如 地方 东西 问题 送来
""")
ENGLISH_NOT = _set("not no never without nothing hardly isn aren wasn don doesn didn won can't cannot couldn't")
CHINESE_NOT = _set("不 没 没有 未 别 不够 不是 不太 并不 毫不 从不")
