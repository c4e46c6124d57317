#include "plugins/pins/images.hpp"

#include <link.h>

#include <algorithm>
#include <deque>

namespace busbar::host {

namespace {

// The loader has made addresses of what were offsets in the file, but not for all libraries, nor on all machines.
const char* at_address(const MappedImage& image, ElfW(Addr) value) {
  return reinterpret_cast<const char*>(value < image.base ? image.base + value : value);
}

void read_dynamic(MappedImage& image, const ElfW(Dyn) * dynamic) {
  const char* texts = nullptr;
  for (const auto* entry = dynamic; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_STRTAB) texts = at_address(image, entry->d_un.d_ptr);
  }
  if (texts == nullptr) return;
  for (const auto* entry = dynamic; entry->d_tag != DT_NULL; ++entry) {
    if (entry->d_tag == DT_NEEDED) image.needed.emplace_back(texts + entry->d_un.d_val);
    if (entry->d_tag == DT_SONAME) image.soname = texts + entry->d_un.d_val;
  }
}

MappedImage read_image(const dl_phdr_info& info) {
  MappedImage image;
  image.path = info.dlpi_name == nullptr ? "" : info.dlpi_name;
  image.base = info.dlpi_addr;
  image.range = {UINTPTR_MAX, 0};
  const ElfW(Dyn)* dynamic = nullptr;
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const auto& segment = info.dlpi_phdr[i];
    const std::uintptr_t begin = info.dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_DYNAMIC) dynamic = reinterpret_cast<const ElfW(Dyn)*>(begin);
    if (segment.p_type != PT_LOAD) continue;
    image.range.begin = std::min(image.range.begin, begin);
    image.range.end = std::max(image.range.end, begin + segment.p_memsz);
  }
  if (dynamic != nullptr) read_dynamic(image, dynamic);
  if (image.soname.empty()) image.soname = std::filesystem::path(image.path).filename().string();
  return image;
}

// Adds all that is needed by those that are marked.
void mark_needed(const std::vector<MappedImage>& images, std::vector<bool>& marked) {
  std::deque<std::size_t> queue;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (marked[i]) queue.push_back(i);
  }
  for (; !queue.empty(); queue.pop_front()) {
    for (const std::string& soname : images[queue.front()].needed) {
      for (std::size_t i = 0; i < images.size(); ++i) {
        if (marked[i] || (images[i].soname != soname && images[i].path != soname)) continue;
        marked[i] = true;
        queue.push_back(i);
      }
    }
  }
}

}  // namespace

std::vector<MappedImage> mapped_images() {
  std::vector<MappedImage> images;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* out) {
        static_cast<std::vector<MappedImage>*>(out)->push_back(read_image(*info));
        return 0;
      },
      &images);
  return images;
}

std::vector<MappedImage> images_that_go_with(const std::filesystem::path& library) {
  const std::vector<MappedImage> images = mapped_images();
  const auto found = std::find_if(images.begin(), images.end(),
                                  [&](const MappedImage& image) { return image.path == library.native(); });
  if (found == images.end()) return {};
  const auto self = static_cast<std::size_t>(found - images.begin());
  std::vector<bool> needed(images.size());
  needed[self] = true;
  mark_needed(images, needed);
  // Whatever it does not need was mapped for somebody else: so what that needs stays.
  std::vector<bool> stays(images.size());
  for (std::size_t i = 0; i < images.size(); ++i) stays[i] = !needed[i];
  mark_needed(images, stays);
  std::vector<MappedImage> out{*found};
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (i != self && !stays[i]) out.push_back(images[i]);
  }
  return out;
}

}  // namespace busbar::host
