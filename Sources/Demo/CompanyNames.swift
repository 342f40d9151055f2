import PartnerDomain

/// Invented names and codes of companies.
enum CompanyNames {
  private static let words = [
    "恒信达", "瑞丰源", "云岭", "江海", "泰岳", "华晟", "鼎新", "启明", "远帆", "博雅", "金穗", "晨曦", "天府", "东湖", "凌云", "嘉穗",
    "宏图", "松柏", "锦程", "明德", "南山", "长青", "润泽", "海纳", "卓远", "弘毅", "星河", "百川", "和悦", "盛景", "安澜", "聚源",
  ]
  private static let industries = [
    "科技", "制造", "物流", "食品", "建材", "医药", "电子", "纺织", "贸易", "餐饮管理", "物业服务", "汽车零部件", "软件", "教育咨询",
  ]

  /// The n-th word, with a second one behind it when the words are used up.
  static func word(_ index: Int) -> String {
    let first = words[index % words.count]
    return index < words.count ? first : first + words[(index / words.count * 7 + index) % words.count]
  }

  /// Name of a partner, the n-th of its kind.
  static func partner(_ kind: PartnerKind, _ index: Int, region: Region) -> String {
    switch kind {
    case .intermediary:
      "\(region.name)\(word(index))保险\(index % 4 == 3 ? "代理" : "经纪")有限公司"
    case .bank:
      index < 8 ? "\(word(index + 3))银行股份有限公司" : "\(region.name)\(word(index))农村商业银行股份有限公司"
    case .insurer: "\(word(index + 11))\(index % 3 == 2 ? "健康" : "人寿")保险股份有限公司"
    case .ecosystem:
      "\(region.name)\(word(index + 5))\(["健康管理", "养老服务", "生活服务", "金融科技"][index % 4])有限公司"
    }
  }

  /// A customer's registered and short name.
  static func customer(region: Region, _ random: inout DemoRandom) -> (name: String, short: String) {
    let first = word(random.below(words.count))
    let second = word(random.below(words.count)).prefix(1)
    let industry = random.element(industries)
    return ("\(region.name)\(first)\(second)\(industry)有限公司", "\(first)\(second)\(industry)")
  }

  private static let codeAlphabet = Array("0123456789ABCDEFGHJKLMNPQRTUWXY")

  /// A 统一社会信用代码 (GB 32100-2015) with a right check character and the place XX9900, which does not exist: no company has it.
  static func companyCode(placeCode: Int, _ random: inout DemoRandom) -> String {
    var characters = Array("91\(placeCode)9900MA")
    while characters.count < 17 { characters.append(random.element(codeAlphabet)) }
    var (sum, weight) = (0, 1)
    for character in characters {
      sum += (codeAlphabet.firstIndex(of: character) ?? 0) * weight
      weight = weight * 3 % 31
    }
    return String(characters) + String(codeAlphabet[(31 - sum % 31) % 31])
  }
}
