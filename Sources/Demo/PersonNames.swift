/// Chinese names by their frequency, with pinyin and traditional forms.
enum PersonNames {
  /// A character or two with their pinyin.
  struct Syllable {
    let text: String
    let pinyin: String
  }

  /// Surnames, frequent ones first; two-character ones at the end.
  static let surnames = read(
    """
    王wang 李li 张zhang 刘liu 陈chen 杨yang 黄huang 赵zhao 吴wu 周zhou 徐xu 孙sun 马ma 朱zhu 胡hu 郭guo 何he 林lin 高gao 罗luo
    郑zheng 梁liang 谢xie 宋song 唐tang 许xu 韩han 邓deng 冯feng 曹cao 彭peng 曾zeng 肖xiao 田tian 董dong 潘pan 袁yuan 蔡cai
    蒋jiang 余yu 于yu 杜du 叶ye 程cheng 魏wei 苏su 吕lv 丁ding 任ren 卢lu 姚yao 沈shen 钟zhong 姜jiang 崔cui 谭tan 陆lu 范fan
    汪wang 廖liao 石shi 金jin 贾jia 夏xia 付fu 方fang 邹zou 熊xiong 白bai 孟meng 秦qin 邱qiu 侯hou 江jiang 尹yin 薛xue 闫yan 段duan
    雷lei 龙long 黎li 史shi 陶tao 贺he 毛mao 郝hao 顾gu 龚gong 邵shao 万wan 欧阳ouyang 司马sima 上官shangguan 诸葛zhuge 慕容murong
    """)

  /// Their weights.
  static let surnameWeights = surnames.indices.map { index in
    surnames[index].text.count > 1 ? 4 : 1_200 / (index + 12)
  }

  private static let female = read(
    """
    丽li 芳fang 娜na 静jing 敏min 燕yan 艳yan 秀xiu 娟juan 英ying 玲ling 婷ting 雪xue 慧hui 颖ying 倩qian 琳lin 莉li 萍ping 红hong
    梅mei 兰lan 月yue 霞xia 洁jie 蓉rong 佳jia 欣xin 怡yi 梦meng 诗shi 雨yu 思si 瑶yao 涵han 琪qi 璐lu 妍yan 晴qing 嘉jia 淑shu 桂gui
    """)
  private static let male = read(
    """
    伟wei 强qiang 磊lei 军jun 洋yang 勇yong 杰jie 涛tao 超chao 明ming 刚gang 平ping 辉hui 鹏peng 华hua 飞fei 斌bin 波bo 浩hao 宇yu
    俊jun 峰feng 健jian 志zhi 建jian 国guo 文wen 海hai 宏hong 毅yi 轩xuan 博bo 睿rui 晨chen 天tian 子zi 泽ze 凯kai 龙long 航hang 林lin 庆qing
    """)

  private static let traditional: [Character: Character] = [
    "张": "張", "刘": "劉", "陈": "陳", "杨": "楊", "黄": "黃", "赵": "趙", "吴": "吳", "孙": "孫", "马": "馬", "罗": "羅", "郑": "鄭",
    "谢": "謝", "许": "許", "韩": "韓", "邓": "鄧", "冯": "馮", "叶": "葉", "卢": "盧", "钟": "鍾", "谭": "譚", "陆": "陸", "贾": "賈",
    "邹": "鄒", "龙": "龍", "贺": "賀", "顾": "顧", "龚": "龔", "万": "萬", "欧": "歐", "阳": "陽", "诸": "諸", "丽": "麗", "静": "靜",
    "艳": "艷", "颖": "穎", "兰": "蘭", "红": "紅", "洁": "潔", "梦": "夢", "诗": "詩", "伟": "偉", "强": "強", "军": "軍", "涛": "濤",
    "刚": "剛", "辉": "輝", "鹏": "鵬", "华": "華", "飞": "飛", "国": "國", "峰": "峯", "庆": "慶", "泽": "澤", "凯": "凱",
  ]

  /// A name: surname and one or two characters.
  static func draw(female isFemale: Bool, _ random: inout DemoRandom) -> PersonName {
    let surname = surnames[random.index(weights: surnameWeights)]
    let pool = isFemale ? female : male
    let count = random.chance(perMille: 170) ? 1 : 2
    return PersonName(surname: surname, given: (0..<count).map { _ in random.element(pool) })
  }

  static func inTraditional(_ text: String) -> String { String(text.map { traditional[$0] ?? $0 }) }

  /// "王wang 李li" as syllables.
  private static func read(_ text: String) -> [Syllable] {
    text.split { $0 == " " || $0 == "\n" }.map { word in
      let characters = word.prefix { !$0.isASCII }
      return Syllable(text: String(characters), pinyin: String(word.dropFirst(characters.count)))
    }
  }
}

/// A person's name.
struct PersonName {
  let surname: PersonNames.Syllable
  let given: [PersonNames.Syllable]

  var family: String { surname.text }
  var givenText: String { given.map(\.text).joined() }
  var full: String { family + givenText }
  /// "Ouyang Lihua", as passports and websites write it.
  var inPinyin: String { capital(surname.pinyin) + " " + capital(given.map(\.pinyin).joined()) }
  /// "lihua.ouyang".
  var mailName: String { given.map(\.pinyin).joined() + "." + surname.pinyin }

  private func capital(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }
}
